use task_core::task;

#[task]
pub unsafe extern "C" fn print(format: String, ...) {
    drop(format);
}

fn main() {}
