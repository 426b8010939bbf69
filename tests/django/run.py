"""Runs the scenario with django-tasks and its database backend and prints what came of it as JSON.

    python run.py SCENARIO FOLDER
"""

import json
import logging
import re
import sys
import time
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings

scenario = json.loads(Path(sys.argv[1]).read_text())
settings.configure(
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(sys.argv[2]) / "django.db")}
    },
    INSTALLED_APPS=["django_tasks", "django_tasks_db"],
    TASKS={
        "default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": scenario["queues"]},
    },
    LOGGING_CONFIG=None,
    USE_TZ=True,
)
django.setup()
# Every failure of the scenario is meant.
logging.disable(logging.CRITICAL)

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_tasks import default_task_backend  # noqa: E402
from django_tasks.exceptions import (  # noqa: E402
    InvalidTaskBackendError,
    InvalidTaskError,
    TaskResultDoesNotExist,
    TaskResultMismatch,
)
from django_tasks.signals import task_enqueued, task_finished, task_started  # noqa: E402
from django_tasks_db.models import DBTaskResult  # noqa: E402

import scenario_tasks  # noqa: E402

labels = {}
said = {"enqueued": [], "started": [], "finished": []}


def hear(name):
    def receiver(task_result, **_):
        said[name].append(str(task_result.id))

    return receiver


receivers = {name: hear(name) for name in said}
task_enqueued.connect(receivers["enqueued"])
task_started.connect(receivers["started"])
task_finished.connect(receivers["finished"])


def call_of(step):
    task = getattr(scenario_tasks, step["task"])
    options = {}
    if "priority" in step:
        options["priority"] = step["priority"]
    if "queue" in step:
        options["queue_name"] = step["queue"]
    if "backend" in step:
        options["backend"] = step["backend"]
    if "run_after" in step:
        options["run_after"] = timezone.now() + timedelta(seconds=step["run_after"])
    return task.using(**options)


def kind_of(error):
    kinds = {
        InvalidTaskError: "InvalidTask",
        InvalidTaskBackendError: "InvalidBackend",
        TaskResultDoesNotExist: "NotFound",
        TaskResultMismatch: "Mismatch",
    }
    return kinds[type(error)]


def value_of(result):
    try:
        return {"value": result.return_value}
    except ValueError as error:
        return {"Task failed": "TaskFailed", "Task has not finished yet": "NotFinished"}[str(error)]


def messages_of(error):
    """What the error said, then its causes, nearest first."""
    said = re.findall(r"^[\w.]+: (.*)$", error.traceback, re.MULTILINE)
    return said[::-1]


def due_of(result):
    """Seconds between the storing of a task and its due time."""
    due = result.task.run_after
    return None if due is None else round((due - result.enqueued_at).total_seconds())


def times_of(result):
    """The times that are there, in the order of a task's life, and whether they follow each other."""
    names = ["enqueued_at", "started_at", "last_attempted_at", "finished_at"]
    times = [(name, getattr(result, name)) for name in names]
    times = [(name, moment) for name, moment in times if moment is not None]
    moments = [moment for _, moment in times]
    return {"there": [name for name, _ in times], "in_order": moments == sorted(moments)}


def look(result):
    return {
        "status": result.status.value,
        "is_finished": result.is_finished,
        "attempts": result.attempts,
        "workers": len(result.worker_ids),
        "queue": result.task.queue_name,
        "priority": result.task.priority,
        "arguments": result.kwargs,
        "return_value": value_of(result),
        "errors": [messages_of(error) for error in result.errors],
        "run_after": due_of(result),
        "times": times_of(result),
        "backend": result.backend,
    }


def look_at_all():
    return {label: look(default_task_backend.get_result(id)) for label, id in labels.items()}


def named(ids):
    names = {id: label for label, id in labels.items()}
    return [names[str(id)] for id in ids]


def refusals():
    refused = {}
    for step in scenario["refused"]:
        try:
            call_of(step).enqueue(**step["arguments"])
            refused[step["label"]] = "accepted"
        except Exception as error:
            refused[step["label"]] = kind_of(error)
    return refused


def look_ups():
    found = {}
    for step in scenario["look_ups"]:
        task = getattr(scenario_tasks, step["task"])
        id = labels.get(step["id"], step["id"])
        try:
            found[step["label"]] = value_of(task.get_result(id))
        except Exception as error:
            found[step["label"]] = kind_of(error)
    return found


call_command("migrate", verbosity=0)
report = {}
latest = timezone.now()
kept = {}
for step in scenario["tasks"]:
    call = call_of(step)
    kept[step["label"]] = call.enqueue(**step["arguments"])
    labels[step["label"]] = str(kept[step["label"]].id)
    if step.get("run_after", 0) < scenario["drained_after"]:
        latest = max(latest, call.run_after or latest)
report["refused"] = refusals()
report["answered"] = {label: look(result) for label, result in kept.items()}
report["enqueued"] = look_at_all()
report["look_ups_before"] = look_ups()

# The tasks that are due at the drain are due.
time.sleep(max(0, (latest - timezone.now()).total_seconds()))
call_command(
    "db_worker",
    queue_name=",".join(scenario["drained_queues"]),
    batch=True,
    interval=0,
    startup_delay=False,
    reload=False,
    worker_id="one",
    verbosity=0,
)
report["drained"] = look_at_all()
report["snapshots"] = {label: look(result) for label, result in kept.items()}
for result in kept.values():
    result.refresh()
report["refreshed"] = {label: look(result) for label, result in kept.items()}
report["look_ups_after"] = look_ups()
report["signals"] = {
    label: {name: ids.count(id) for name, ids in said.items()} for label, id in labels.items()
}
report["listed"] = named(DBTaskResult.objects.order_by("-enqueued_at").values_list("id", flat=True))
report["order"] = named(said["started"])
report["ended"] = named(said["finished"])

call_command("prune_db_task_results", queue_name="*", min_age_days=0, verbosity=0)
report["left"] = named(DBTaskResult.objects.order_by("-enqueued_at").values_list("id", flat=True))
json.dump(report, sys.stdout)
