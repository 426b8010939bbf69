use task_core::task;

#[task]
pub trait Greets {
    fn greet(&self, name: String) -> String;
}

#[task]
unsafe impl Greets for () {
    fn greet(&self, name: String) -> String {
        name
    }
}

fn main() {}
