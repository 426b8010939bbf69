//! A task may be as local as the function it stands in.

use task_core::{Registry, Task};

fn main() {
    #[task_core::task(queue = "special")]
    async fn greet(name: String) -> Result<String, std::io::Error> {
        Ok(name)
    }

    drop(greet::enqueue("Ada"));
    assert_eq!(greet::ENTRY.name(), concat!(module_path!(), "::greet"));
    assert_eq!(Registry::collected().expect("one task").len(), 1);
}
