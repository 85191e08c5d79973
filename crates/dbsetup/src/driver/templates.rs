//! The port's part about templates: prepared databases that others are copied from.
//!
//! A template is a cache. It is complete as soon as it can be found, never changes, takes no connections, and may be gone
//! at any moment. Only those of whoever asks are seen: what another role prepared could be a trap.

use std::fmt;
use std::time::SystemTime;

use super::{BoxFuture, DbError, DbErrorClass, Server};
use crate::repo::CreateOptions;

/// How many hexadecimal digits name a template.
const DIGITS: usize = 24;

/// What a template was made of, as a digest in hexadecimal. A driver adds what the result depends on besides: the
/// release of the server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateName(String);

impl TemplateName {
    /// Takes the first 24 digits; `None` for what is no digest in lower-case hexadecimal.
    pub fn new(digest: &str) -> Option<Self> {
        let digits = digest.get(..DIGITS)?;
        let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then(|| Self(digits.to_owned()))
    }

    /// The 24 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is said of a template where it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateNote {
    /// The repo that it was made for.
    pub repo: String,
    /// The only database that it serves; `None` for any that the repo makes.
    pub database: Option<String>,
    /// Whose files it was made of, in 16 hexadecimal digits ([`crate::template::home`]): another project may have a repo
    /// of the same name. `None` where nobody knows.
    pub home: Option<String>,
    /// How many migrations are recorded in it.
    pub migrations: u64,
}

/// Whether a database was made from a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cloned {
    /// It was; the note is missing where its maker died before it was written.
    Now(Option<TemplateNote>),
    /// There is no such template.
    NoTemplate,
    /// The database is there already.
    Already,
    /// Not here, and why: whoever wants the database makes it otherwise.
    Cannot(String),
}

/// Whether a template was made of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It was.
    Now,
    /// There is one: somebody else was faster.
    Already,
    /// Not of this database, or not here, and why.
    Cannot(String),
}

/// A template that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateInfo {
    /// What it was made of.
    pub name: TemplateName,
    /// Where it is: the database's name or the file.
    pub shown: String,
    /// What its maker said of it.
    pub note: Option<TemplateNote>,
    /// When it was made, to the day at least.
    pub made: Option<SystemTime>,
    /// When a database was last made from it, to the day.
    pub used: Option<SystemTime>,
    /// Its size.
    pub bytes: Option<u64>,
    /// Whether this very server can use it: after an upgrade the templates of the release before are left.
    pub usable: bool,
}

/// The right to make one template, as long as the value lives. Nobody is kept from doing without: two makers are slower
/// than one, and do no harm.
pub trait TemplateClaim: Send {
    /// Gives it back, and returns when others can have it.
    fn release(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A name for a database that a template is made of: nobody else sees it, and what a dead run leaves under it is
/// recognised and removed by a later one.
pub trait Workshop: Send + Sync {
    /// The server with that database, which is not there yet.
    fn server(&self) -> Box<dyn Server>;
    /// Removes the database, whatever is in it, and gives the name up.
    fn discard(&self) -> BoxFuture<'_, Result<(), DbError>>;
}

/// What a server does with templates. The defaults are those of a server that has none.
pub trait Templates: Send + Sync {
    /// Returns what the URL says of a session that shapes what it makes, and of who owns a template: a name and a value
    /// each. Nothing secret is among them.
    fn session_of_url(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Makes the server's database as a copy of a template, unless it is there. A race that another process wins is
    /// [`Cloned::Already`]. In two trips after connecting.
    fn clone_template<'a>(
        &'a self,
        template: &'a TemplateName,
        options: &'a CreateOptions,
    ) -> BoxFuture<'a, Result<Cloned, DbError>> {
        let _ = (template, options);
        Box::pin(std::future::ready(Ok(Cloned::Cannot("it has no templates".to_owned()))))
    }

    /// Makes a template as a copy of the server's database, to which nobody may be connected. What a copy would lack
    /// (settings and rights of the database itself) makes it [`Kept::Cannot`].
    fn keep_template<'a>(
        &'a self,
        template: &'a TemplateName,
        note: &'a TemplateNote,
    ) -> BoxFuture<'a, Result<Kept, DbError>> {
        let _ = (template, note);
        Box::pin(std::future::ready(Ok(Kept::Cannot("it has no templates".to_owned()))))
    }

    /// Returns the templates that are there and belong to whoever asks, by name.
    fn templates(&self) -> BoxFuture<'_, Result<Vec<TemplateInfo>, DbError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Removes a template, as [`Templates::templates`] shows it, and returns whether it was there.
    fn remove_template<'a>(&'a self, template: &'a TemplateInfo) -> BoxFuture<'a, Result<bool, DbError>> {
        let _ = template;
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Claims the right to make a template; `None` while somebody else has it. A maker that dies loses it.
    fn claim_template<'a>(
        &'a self,
        template: &'a TemplateName,
    ) -> BoxFuture<'a, Result<Option<Box<dyn TemplateClaim>>, DbError>> {
        let _ = template;
        Box::pin(std::future::ready(Ok(Some(Box::new(Unclaimed) as Box<dyn TemplateClaim>))))
    }

    /// Names a database beside this server's own that a template can be made of.
    fn workshop(&self) -> BoxFuture<'_, Result<Box<dyn Workshop>, DbError>> {
        let message = "it has no templates".to_owned();
        let error = DbError { class: DbErrorClass::Unsupported, message, code: None, notes: Vec::new() };
        Box::pin(std::future::ready(Err(error)))
    }

    /// Closes what is kept open from one database's end to the next one's beginning.
    fn let_go(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The claim of a server that has no templates.
struct Unclaimed;

impl TemplateClaim for Unclaimed {
    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_24_digits_of_a_digest_and_nothing_else() {
        let digest = "0123456789abcdef0123456789abcdef";
        assert_eq!(TemplateName::new(digest).map(|name| name.to_string()).as_deref(), Some(&digest[..24]));
        for wrong in
            ["", "0123", "0123456789ABCDEF01234567", "0123456789abcdef0123456'", "é23456789abcdef01234567"]
        {
            assert_eq!(TemplateName::new(wrong), None, "{wrong}");
        }
    }
}
