"""The tasks of the scenario, as tests/django/tasks.rs has them."""

from django_tasks import task


@task()
def echo(text):
    return text


@task(priority=7, queue_name="sums")
def add(left, right):
    return left + right


@task()
def any_value(value):
    return value


@task()
def pair(left, right):
    return (left, right)


@task()
def nothing():
    pass


@task()
def refuse(reason):
    raise ValueError(reason)


@task()
def refuse_because(reason, cause):
    try:
        raise OSError(cause)
    except OSError as error:
        raise ValueError(reason) from error


@task()
def give_up(message):
    raise SystemExit(message)


@task()
def unstorable():
    return {1, 2}


@task(takes_context=True)
def introspect(context):
    result = context.task_result
    return {
        "attempt": context.attempt,
        "attempts": result.attempts,
        "status": result.status.value,
        "is_finished": result.is_finished,
        "workers": len(result.worker_ids),
        "errors": len(result.errors),
    }


@task()
async def wait_for_nothing(text):
    return text


@task(takes_context=True)
def delete_own_row(context, file):
    from django_tasks_db.models import DBTaskResult

    DBTaskResult.objects.filter(id=context.task_result.id).delete()
