use task_core::task;

pub struct Greeter;

impl Greeter {
    #[task]
    pub async fn by_value(self) {}

    #[task]
    pub async fn mutably(&mut self, name: String) {
        drop(name);
    }

    #[task]
    pub async fn boxed(self: Box<Self>) {}
}

fn main() {}
