//! The name of the account that runs this process: the role of a URL that names none, as psql does it.

/// Returns the account's name, as far as it can be told without C.
#[cfg(unix)]
pub(super) fn os_user() -> Option<String> {
    // Whoever starts a process may set any variable, hence they are asked last.
    from_accounts().or_else(from_id).or_else(|| variable("USER")).or_else(|| variable("LOGNAME"))
}

/// Returns the account's name.
#[cfg(not(unix))]
pub(super) fn os_user() -> Option<String> {
    variable("USERNAME")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Looks the owner of this process up in `/etc/passwd`.
#[cfg(unix)]
fn from_accounts() -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

/// Asks `id`, which knows directories of accounts too.
#[cfg(unix)]
fn from_id() -> Option<String> {
    let output = std::process::Command::new("id").arg("-un").output().ok()?;
    let name = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !name.is_empty()).then_some(name)
}
