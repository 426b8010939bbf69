use std::borrow::Cow;
use std::path::Path;

use task_core::task;

#[task]
pub async fn greet(name: &str, titles: &[String], picture: &Path) -> String {
    format!("{name} {titles:?} {picture:?}")
}

#[task]
pub async fn meet(names: Vec<&str>, place: Cow<'_, str>) {
    drop((names, place));
}

fn main() {
    drop(greet::enqueue("Ada", &["Countess".to_owned()], Path::new("ada.png")));
    drop(greet::new("Ada", &["Countess".to_owned()], Path::new("ada.png")).enqueue());
    drop(meet::new(vec!["Ada"], "here"));
}
