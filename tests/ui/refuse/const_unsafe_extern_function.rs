use task_core::task;

#[task]
pub const fn double(number: u32) -> u32 {
    number * 2
}

#[task]
pub unsafe fn trust(number: u32) -> u32 {
    number
}

#[task]
pub extern "C" fn offer(number: u32) -> u32 {
    number
}

fn main() {
    drop(double::enqueue(1));
    drop(trust::enqueue(1));
    drop(offer::enqueue(1));
}
