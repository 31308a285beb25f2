"""How do the people want to be told? Quiet hours, channels that are off, levels, and who follows what."""

from infra.local.demo.people import USER
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

# username, e-mail, WeCom, SMS, quiet from, quiet to, zone, least level, CRITICAL passes quiet hours
SETTINGS = (
    ("suhui", True, True, True, "22:00", "08:00", "Asia/Shanghai", "INFO", False),  # over midnight
    ("liqiang", True, True, False, "22:00", "07:30", "Asia/Shanghai", "INFO", True),  # CRITICAL passes
    ("zhouting", True, False, False, "12:00", "13:30", "Asia/Shanghai", "INFO", False),  # within a day
    ("weber", True, False, False, "20:00", "07:00", "Europe/Berlin", "INFO", False),  # in his own zone
    ("sunlei", True, True, False, "09:00", "09:00", "Asia/Shanghai", "INFO", False),  # start = end: never quiet
    ("xuli", True, True, True, "00:00", "06:00", "Asia/Shanghai", "WARNING", False),  # nothing below WARNING
    ("zhumin", False, True, False, None, None, "Asia/Shanghai", "INFO", False),          # no e-mail wanted
    ("linguodong", True, True, True, "21:00", "07:00", "Asia/Shanghai", "CRITICAL", False),
    ("hejing", True, False, False, None, None, "Asia/Shanghai", "INFO", False),
    ("yefan", True, True, False, None, None, "Asia/Shanghai", "INFO", False),
)
# username, rule type (None: all), project (None: all), least level, channels
SUBSCRIPTIONS = (
    ("linguodong", "MATERIAL_SHORTAGE", None, "URGENT", ["system"]),
    ("gaoxiang", None, "PJ01", "WARNING", ["system", "email"]),
    ("caiming", "MILESTONE_DUE", None, "CRITICAL", ["system", "email"]),
    ("luomin", "QUALITY_ISSUE", None, "CRITICAL", ["system"]),
    ("jialei", None, "PJ06", "INFO", ["system"]),
    ("suhui", "DELIVERY_DUE", None, "WARNING", ["system"]),  # within her quiet hours it is deferred, not dropped
)


def populate(factory: Factory) -> None:
    """Settings of ten people (the others have none: everything but SMS) and six subscriptions."""
    factory.insert(
        "belfry.notification_settings", "user_id system_enabled email_enabled wechat_enabled sms_enabled quiet_start "
        "quiet_end time_zone min_level critical_bypass version",
        [(USER[name], True, email, wechat, sms, start, end, zone, level, bypass, 1)
         for name, email, wechat, sms, start, end, zone, level, bypass in SETTINGS],
    )
    factory.insert(
        "belfry.alert_subscriptions", "user_id rule_type project_id min_level channels is_active",
        [(USER[name], rule_type, PROJECT[project] if project else None, level, channels, True)
         for name, rule_type, project, level, channels in SUBSCRIPTIONS],
    )
