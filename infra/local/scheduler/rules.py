"""What Cloud Scheduler takes as a job: names, limits, defaults, and which fields an update may touch."""

import re
import secrets
from datetime import UTC, datetime, timedelta

import grpc
from google.cloud import scheduler_v1
from google.protobuf import field_mask_pb2

from shared.schedule import Schedule, ScheduleError

DEFAULT_DEADLINE = timedelta(minutes=3)
SHORTEST_DEADLINE, LONGEST_DEADLINE = timedelta(seconds=15), timedelta(minutes=30)
LARGEST_JOB = 1 << 20
OUTPUT_ONLY = ("name", "user_update_time", "state", "status", "schedule_time", "last_attempt_time")
_PARENT = re.compile(r"projects/[A-Za-z0-9:.-]+/locations/[A-Za-z0-9-]+")
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")
_SET_BY_THE_SERVICE = re.compile(
    r"host|content-length|user-agent|authorization|x-google-.*|x-appengine-.*|x-cloudscheduler.*"
)
_POST, _PUT, _PATCH = (scheduler_v1.HttpMethod(number) for number in (1, 4, 6))


class RefusedError(Exception):
    """A request that Cloud Scheduler would refuse, with its status code."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def invalid(message: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, message)


def check_parent(parent: str) -> str:
    if not _PARENT.fullmatch(parent):
        raise invalid(f"Location name {parent!r} must be formatted: projects/PROJECT_ID/locations/LOCATION_ID.")
    return parent


def new_name(parent: str, asked: str) -> str:
    """The full name of a job to be made; one is made up when none is asked for."""
    check_parent(parent)
    if not asked:
        return f"{parent}/jobs/{secrets.randbelow(10**19):019d}"
    start, _, job_id = asked.rpartition("/jobs/")
    if start != parent or not _JOB_ID.fullmatch(job_id):
        raise invalid(f"Job name must be formatted: {parent}/jobs/JOB_ID, JOB_ID of 1-500 letters, digits, - and _.")
    return asked


def updated(old: scheduler_v1.Job, new: scheduler_v1.Job, mask: field_mask_pb2.FieldMask) -> scheduler_v1.Job:
    """A copy of the old job with the masked fields of the new one; no mask means every field that it sets."""
    message, source = scheduler_v1.Job.pb(scheduler_v1.Job(old)), scheduler_v1.Job.pb(new)
    if not mask.IsValidForDescriptor(message.DESCRIPTOR):
        raise invalid("The update mask names a field that a job does not have.")
    paths = list(mask.paths) or [field.name for field, _ in source.ListFields()]
    wanted = field_mask_pb2.FieldMask(paths=[path for path in paths if path.split(".")[0] not in OUTPUT_ONLY])
    wanted.MergeMessage(source, message, replace_message_field=True, replace_repeated_field=True)
    copy: scheduler_v1.Job = scheduler_v1.Job.deserialize(message.SerializeToString())
    return copy


def completed(job: scheduler_v1.Job) -> scheduler_v1.Job:
    """The job with the service's defaults. Raises RefusedError for what the service would not take."""
    if len(job.description) > 500:
        raise invalid("Job description must not exceed 500 characters.")
    job.time_zone = "UTC" if job.time_zone.upper() in ("", "UTC") else job.time_zone
    timetable(job)
    _check_target(job)
    deadline = job.attempt_deadline or DEFAULT_DEADLINE
    if not SHORTEST_DEADLINE <= deadline <= LONGEST_DEADLINE:
        raise invalid("The attempt deadline must be between 15s and 30m.")
    job.attempt_deadline = deadline
    _complete_retry(job)
    if len(scheduler_v1.Job.serialize(job)) > LARGEST_JOB:
        raise invalid("The job is larger than 1MB.")
    return job


def timetable(job: scheduler_v1.Job) -> Schedule:
    if job.schedule.startswith("every "):
        raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "The local Cloud Scheduler takes unix-cron schedules only.")
    try:
        return Schedule(job.schedule, job.time_zone)
    except ScheduleError as wrong:
        raise invalid(f"Schedule or time zone is invalid: {wrong}.") from wrong


def _check_target(job: scheduler_v1.Job) -> None:
    if job.pubsub_target.topic_name or job.app_engine_http_target.relative_uri:
        raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "The local Cloud Scheduler fires HTTP targets only.")
    target = job.http_target
    if not re.match(r"https?://[^/\s]", target.uri) or len(target.uri) > 2083:
        raise invalid("An HTTP target needs a URI that begins with http:// or https://, of at most 2083 characters.")
    if target.oauth_token.service_account_email:
        raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "The local Cloud Scheduler signs OIDC tokens only.")
    if not target.http_method:
        target.http_method = _POST
    if target.body and target.http_method not in (_POST, _PUT, _PATCH):
        raise invalid("A request body is allowed only if the HTTP method is POST, PUT, or PATCH.")
    if any(re.search(r"[\r\n\0]", name + value) or not name for name, value in target.headers.items()):
        raise invalid("A header must be one line with a name.")
    kept = {name: value for name, value in target.headers.items() if not _SET_BY_THE_SERVICE.fullmatch(name.lower())}
    if target.body and "content-type" not in map(str.lower, kept):
        kept["Content-Type"] = "application/octet-stream"
    target.headers = kept
    if target.oidc_token.service_account_email:
        target.oidc_token.audience = target.oidc_token.audience or target.uri


def _complete_retry(job: scheduler_v1.Job) -> None:
    retry = job.retry_config
    if not 0 <= retry.retry_count <= 5:
        raise invalid("The retry count must be between 0 and 5.")
    if retry.max_doublings < 0:
        raise invalid("The number of doublings must not be negative.")
    least, most = retry.min_backoff_duration or timedelta(seconds=5), retry.max_backoff_duration or timedelta(hours=1)
    total = retry.max_retry_duration or timedelta()
    if not timedelta() < least <= most <= timedelta(days=1) or total < timedelta():
        raise invalid(
            "The backoff must be positive, the least no longer than the most, and the retry time not negative."
        )
    retry.min_backoff_duration, retry.max_backoff_duration = least, most
    retry.max_doublings = retry.max_doublings or 5
    job.retry_config = retry


def backoff(retry: scheduler_v1.RetryConfig, failures: int) -> timedelta:
    """The wait after the n-th failure in a row: doubled `max_doublings` times, then in even steps, to the most."""
    least, doublings = retry.min_backoff_duration, retry.max_doublings
    doubled = min(failures - 1, doublings)
    wait: timedelta = least * 2**doubled * (failures - doubled if doubled < failures - 1 else 1)
    most: timedelta = retry.max_backoff_duration
    return min(wait, most)


def stamp(moment: datetime) -> str:
    """RFC 3339 with offset, as the ScheduleTime header has it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
