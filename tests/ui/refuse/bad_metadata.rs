use task_core::task;

const COST: u32 = 3;

#[task(metadata(team = "billing", team = "sales"))]
pub async fn twice() {}

#[task(metadata(owner(name = "Ada")))]
pub async fn nested() {}

#[task(metadata(cost = COST, tags = ["a", "b"]))]
pub async fn no_literals() {}

#[task(metadata("task.owner" = "Ada"))]
pub async fn reserved() {}

#[task(metadata("" = 1, "a\0" = 1, "b" = "\0"))]
pub async fn not_for_every_store() {}

#[task(metadata(cost = 99999999999999999999, ratio = 1e999))]
pub async fn too_large() {}

#[task(metadata)]
pub async fn nothing() {}

#[task(metadata = "billing")]
pub async fn text() {}

#[task(metadata(team, 5 = 6, letter = 'a'))]
pub async fn other_forms() {}

fn main() {
    drop(twice::enqueue());
    drop(nested::enqueue());
}
