"""Does what harms a worker of django-tasks, trap by trap, and prints what came of it as JSON.

    python traps.py FOLDER

Each trap is a task that runs first and a neighbour that runs after it.
"""

import json
import logging
import sys
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(sys.argv[1]) / "django.db")}
    },
    INSTALLED_APPS=["django_tasks", "django_tasks_db"],
    TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "sums"]}},
    LOGGING_CONFIG=None,
    USE_TZ=True,
)
django.setup()
# Every failure here is meant.
logging.disable(logging.CRITICAL)

from django.core.management import call_command  # noqa: E402
from django_tasks.signals import task_finished, task_started  # noqa: E402
from django_tasks_db.models import DBTaskResult  # noqa: E402

import scenario_tasks  # noqa: E402


def drain():
    try:
        call_command(
            "db_worker",
            queue_name="*",
            batch=True,
            interval=0,
            startup_delay=False,
            reload=False,
            worker_id="one",
            verbosity=0,
        )
    except Exception:
        return "died"
    return "ended well"


def status_of(result):
    row = DBTaskResult.objects.filter(id=result.id).first()
    return "gone" if row is None else row.status


def spring(prepare, task=scenario_tasks.echo, arguments=None):
    """What becomes of the worker, of the task and of its neighbour."""
    first = task.using(priority=1).enqueue(**(arguments or {"text": "first"}))
    neighbour = scenario_tasks.echo.enqueue(text="neighbour")
    restore = prepare(first)
    worker = drain()
    statuses = [status_of(first), status_of(neighbour)]
    if restore is not None:
        restore()
    DBTaskResult.objects.all().delete()
    return {"worker": worker, "task": statuses[0], "neighbour": statuses[1]}


def raising(signal, only_the_first=True):
    def prepare(first):
        times = []

        def receiver(task_result, **_):
            if str(task_result.id) == str(first.id) and not (only_the_first and times):
                times.append(1)
                raise RuntimeError("a receiver's own trouble")

        signal.connect(receiver, weak=False)
        return lambda: signal.disconnect(receiver)

    return prepare


def changed(**fields):
    def prepare(first):
        DBTaskResult.objects.filter(id=first.id).update(**fields)

    return prepare


call_command("migrate", verbosity=0)
report = {
    "a receiver of task_started raises": spring(raising(task_started)),
    "a receiver of task_finished raises": spring(raising(task_finished)),
    "a receiver of task_finished raises again": spring(raising(task_finished, only_the_first=False)),
    "a queue that is not listed any more": spring(changed(queue_name="former")),
    "arguments of another shape": spring(changed(args_kwargs={})),
    "a row that is deleted while its task runs": spring(
        lambda first: None, scenario_tasks.delete_own_row, {"file": ""}
    ),
    "a function that is gone": spring(changed(task_path="scenario_tasks.gone")),
}
json.dump(report, sys.stdout)
