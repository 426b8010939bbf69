use task_core::task;

pub trait Greets {
    #[task]
    fn greet(name: String);
}

fn main() {}
