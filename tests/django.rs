//! The differential: one scenario, run by the real django-tasks with its database backend, and by ours
//! on SQLite. What is not the same is named in a table and explained in `docs/django-tasks.md`. And the
//! traps: what harms a worker there, done to both.
//!
//! The Python side is `django/run.py` and `django/traps.py`. `cargo xtask test` prepares the environment it needs and leaves
//! these tests out with `--without django`.

mod django {
    mod differential;
    mod ours;
    mod scenario;
    mod tasks;
    mod theirs;
    mod traps;
}
