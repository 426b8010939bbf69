//! The differential: one scenario, run by the real django-tasks with its database backend, and by ours
//! on SQLite. What is not the same is named in a table and explained in `docs/django-tasks.md`.
//!
//! The Python side is `django/run.py`. `cargo xtask test` prepares the environment it needs and leaves
//! these tests out with `--without django`.

#[path = "django/differential.rs"]
mod django;
#[path = "django/ours.rs"]
mod ours;
#[path = "django/scenario.rs"]
mod scenario;
#[path = "django/tasks.rs"]
mod tasks;
#[path = "django/theirs.rs"]
mod theirs;
