task_worker::worker! {}
