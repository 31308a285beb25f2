import os
from pathlib import Path
def test_shots(db, database_url, perform, tmp_path):
    from tests.console.scenery import furnish, history
    from tests.console import camera
    furnish(db, perform)
    from sqlalchemy import text
    alert = db.execute(text("select id from belfry.alert_records where status='PENDING' and alert_level='URGENT' order by id limit 1")).scalar_one()
    ex = db.execute(text("select id from belfry.job_executions where job_id='check_blocking_issues' order by run_at desc limit 1")).scalar_one()
    fe = db.execute(text("select last_execution_id from belfry.job_summaries where job_id='check_delivery_delay'")).scalar_one()
    places = {"jobs":"/","job":"/jobs/check_overdue_issues","failed":"/jobs/check_delivery_delay","alerts":"/alerts","alert":f"/alerts/{alert}","inbox":"/inbox","execution":f"/executions/{ex}","execfail":f"/executions/{fe}","run":"/jobs/check_overdue_issues/run","platform":"/?platform=1"}
    want = os.environ.get("SHOTS","").split()
    with camera.console(database_url) as url, camera.chromium() as b:
        for size,sz in (("desk",camera.DESKTOP),("phone",camera.PHONE)):
            for lang in ("zh","en"):
                for theme in ("light","dark"):
                    key=f"{size}-{lang}-{theme}"
                    if want and key not in want: continue
                    c = camera.visitor(b,url,size=sz,lang=lang,theme=theme)
                    p = c.new_page(); p.goto("/sign-in"); camera.picture(p,tmp_path,f"{key}-signin")
                    p = camera.sign_in(c, "suhui")
                    errs=[]
                    p.on("console", lambda m: errs.append(m.text) if m.type in("error","warning") else None)
                    for n,u in places.items():
                        p.goto(u); camera.picture(p,tmp_path,f"{key}-{n}")
                    print(key, errs)
                    c.close()
