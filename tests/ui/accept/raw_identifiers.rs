//! Keywords as names: stored without the `r#`.

use task_core::{Task, task};

task_core::queues! { r#default, r#type }

#[task(queue = "type")]
async fn r#match(r#type: String, r#in: u8) -> String {
    r#type.repeat(r#in.into())
}

fn main() {
    assert_eq!(r#match::ENTRY.name(), concat!(module_path!(), "::match"));
    let call = r#match::new("Ada", 2);
    let json = serde_json::to_string(call.arguments()).expect("plain data");
    assert_eq!(json, r#"{"type":"Ada","in":2}"#);
    let back: r#match = serde_json::from_str(&json).expect("its own text");
    assert_eq!((back.r#type.as_str(), back.r#in), ("Ada", 2));
    assert_eq!(queues::TYPE.name(), "type");
}
