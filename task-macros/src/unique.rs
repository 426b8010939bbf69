//! The keys that keep a task from being there twice: `unique`, `unique_for` and `unique_until`.

use proc_macro2::Ident;
use syn::LitStr;
use syn::ext::IdentExt;

use crate::attributes::Bracketed;
use crate::mistakes::Mistakes;
use crate::parameters::Parameter;
use crate::settings::Setting;
use crate::{duration, suggest};

/// What makes two calls the same.
pub(crate) enum By {
    Task,
    Arguments,
    Fields(Vec<LitStr>),
}

/// For how long.
pub(crate) enum Until {
    Started,
    Ended,
    For(u64),
}

/// What was written; a key that was written wrong is as if it were not there.
#[derive(Default)]
pub(crate) struct UniqueKeys {
    pub(crate) by: Option<By>,
    pub(crate) until: Option<Until>,
    /// The keys that mean nothing without `unique`.
    needing: Vec<Ident>,
    is_meant: bool,
}

const BY: &str = "`\"args\"`, `\"task\"` or a list of arguments, such as `unique = [\"user\"]`";

impl UniqueKeys {
    pub(crate) fn take(&mut self, setting: &Setting) -> syn::Result<()> {
        match setting.name().as_str() {
            "unique" => {
                self.is_meant = true;
                self.by = Some(by(setting)?);
            }
            "unique_for" => {
                self.needing.push(setting.key.clone());
                let literal = setting.text("a duration in quotes, such as `unique_for = \"10m\"`")?;
                let ms = duration::milliseconds(&literal.value())
                    .map_err(|reason| syn::Error::new_spanned(&literal, reason))?;
                self.until = Some(Until::For(ms));
            }
            _ => {
                self.needing.push(setting.key.clone());
                let literal = setting.text("`\"started\"` or `\"ended\"`")?;
                self.until = Some(match literal.value().as_str() {
                    "started" => Until::Started,
                    "ended" => Until::Ended,
                    word => {
                        let known = suggest::one_of(word, &["started", "ended"]);
                        let message = format!("a task cannot be unique until `{word}`{known}");
                        return Err(syn::Error::new_spanned(literal, message));
                    }
                });
            }
        }
        Ok(())
    }

    /// Notes keys that do not go together, and fields that are no arguments.
    pub(crate) fn check(&self, parameters: &[Parameter], mistakes: &mut Mistakes) {
        for key in self.needing.iter().filter(|_| !self.is_meant) {
            let message = format!("`{key}` means nothing without `unique`, such as `unique = \"args\"`");
            mistakes.at(key, message);
        }
        if let [_, second] = self.needing.as_slice() {
            mistakes.at(second, "a task has `unique_for` or `unique_until`, not both");
        }
        let Some(By::Fields(fields)) = &self.by else {
            return;
        };
        let names: Vec<String> = parameters
            .iter()
            .map(|parameter| parameter.name.unraw().to_string())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for (index, field) in fields.iter().enumerate() {
            let name = field.value();
            if names.is_empty() {
                mistakes.at(
                    field,
                    format!("no argument is called `{name}`: the task has none"),
                );
            } else if !names.contains(&name.as_str()) {
                let known = suggest::one_of(&name, &names);
                mistakes.at(field, format!("no argument is called `{name}`{known}"));
            } else if fields[..index].iter().any(|other| other.value() == name) {
                mistakes.at(field, format!("`{name}` is here twice"));
            }
        }
    }
}

fn by(setting: &Setting) -> syn::Result<By> {
    if let Ok(list) = setting.parse::<Bracketed>(BY) {
        if list.0.is_empty() {
            let message = "an empty list makes all calls the same: that is `unique = \"task\"`";
            return Err(syn::Error::new_spanned(&setting.value, message));
        }
        return Ok(By::Fields(list.0.into_iter().collect()));
    }
    let literal = setting.text(BY)?;
    match literal.value().as_str() {
        "args" => Ok(By::Arguments),
        "task" => Ok(By::Task),
        word => {
            let hint = suggest::did_you_mean(word, &["args", "task"]);
            let message = format!("`unique` takes {BY}, not `{word}`{hint}");
            Err(syn::Error::new_spanned(literal, message))
        }
    }
}
