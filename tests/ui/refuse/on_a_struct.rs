use task_core::task;

#[task]
#[derive(Default)]
pub struct Greeter {
    pub name: String,
}

#[task(priorty = 1)]
impl Greeter {
    pub fn greet(&self) -> String {
        self.name.clone()
    }
}

fn main() {
    Greeter::default().greet();
}
