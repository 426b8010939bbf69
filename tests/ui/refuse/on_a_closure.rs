use task_core::task;

fn main() {
    #[task]
    let greet = |name: String| name;
    drop(greet("Ada".to_owned()));
}
