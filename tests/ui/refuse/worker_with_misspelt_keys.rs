task_worker::worker! { task = [app], cil = task_cli }
