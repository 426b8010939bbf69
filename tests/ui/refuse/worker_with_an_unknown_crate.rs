task_worker::worker! { tasks = [ap] }
