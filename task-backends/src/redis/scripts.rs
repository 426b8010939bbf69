//! The scripts: one file each below `lua/`, every one a whole step on one shard.

use std::sync::LazyLock;

/// A script as the server gets it.
pub(crate) struct Script {
    /// By which the server knows it.
    pub(crate) hash: String,
    pub(crate) text: String,
    /// For messages.
    pub(crate) name: &'static str,
    /// Whether sending it a second time changes nothing more, so that it may be sent again when its
    /// answer did not come.
    pub(crate) is_repeatable: bool,
}

impl Script {
    fn new(name: &'static str, parts: &[&str], is_repeatable: bool) -> Self {
        let mut text = String::from(include_str!("lua/common.lua"));
        for part in parts {
            text.push_str(part);
        }
        Self {
            hash: redis::Script::new(&text).get_hash().to_owned(),
            text,
            name,
            is_repeatable,
        }
    }
}

macro_rules! scripts {
    ($($constant:ident = $repeatable:literal $name:literal $($part:literal)*;)+) => {
        $(pub(crate) static $constant: LazyLock<Script> = LazyLock::new(|| {
            let parts = [
                $(include_str!(concat!("lua/", $part, ".lua")),)*
                include_str!(concat!("lua/", $name, ".lua")),
            ];
            Script::new($name, &parts, $repeatable)
        });)+

        #[cfg(test)]
        pub(crate) fn all() -> Vec<&'static Script> {
            vec![$(&$constant),+]
        }
    };
}

// Name, whether it may be sent twice, file, and the files it shares with others.
scripts! {
    OPEN = true "open";
    NUMBERS = true "numbers";
    STAMP = true "stamp";
    ENQUEUE = true "enqueue" "unique" "store";
    STAGED = true "staged" "unique" "store";
    TRANSACTION = true "transaction";
    KNOWN = true "known";
    PEEK = true "peek" "select";
    CLAIM = true "claim" "select";
    UNDO = true "undo" "back";
    FINISH = true "finish";
    GIVE_BACK = true "give_back" "back";
    RESCUE = true "rescue" "back";
    JOIN = true "join" "worker";
    RENEW = true "renew" "worker";
    LEAVE = true "leave" "worker";
    EXPIRE = true "expire" "worker";
    WORKERS = true "workers" "worker";
    HOLDS = true "holds";
    ASKED = true "asked";
    CANCEL = false "cancel";
    RETRY = false "retry";
    FIND = true "find" "read";
    LIST = true "list" "read";
    COUNTS = true "counts";
    PRUNE = true "prune";
    PAUSE = true "pause";
    PAUSED = true "paused";
    LAST_TICKS = true "last_ticks";
    TICKED = true "ticked";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_file_begins_with_what_it_does_and_every_script_has_a_hash_of_its_own() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/redis/lua");
        for file in std::fs::read_dir(folder).expect("the folder of the scripts") {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a text");
            assert!(text.starts_with("-- "), "{}", path.display());
        }
        let hashes: BTreeSet<_> = super::all().iter().map(|script| &script.hash).collect();
        assert_eq!(hashes.len(), super::all().len());
    }
}
