//! Generated code brings its own names along.
#![no_implicit_prelude]

::task_core::queues! { default, special }

#[::task_core::task(queue = "special", takes_context)]
async fn greet(
    context: ::task_core::TaskContext,
    name: ::std::string::String,
    title: ::std::option::Option<::std::string::String>,
) -> ::std::result::Result<::std::string::String, ::std::io::Error> {
    ::std::mem::drop((context, title));
    ::std::result::Result::Ok(name)
}

#[::task_core::task]
fn add(left: u32, right: u32) -> u32 {
    left + right
}

#[::task_core::task]
fn ping() {}

fn main() {
    ::std::mem::drop(greet::enqueue("Ada", ::std::option::Option::None));
    ::std::mem::drop(add::new(1, 2));
    ::std::mem::drop(ping::enqueue());
}
