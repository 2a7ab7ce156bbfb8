//! Users and groups as requests name them: by id, by name, or both, which then must agree.
//!
//! It is given the four optional fields of a request and gives numeric ids; errors are worded like Go's `os/user`.

use nix::unistd::{Gid, Group, Uid, User};

/// What was asked for; all unset means the daemon's own user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Numeric user.
    pub user_id: Option<i64>,
    /// User name; empty is unset.
    pub user: String,
    /// Numeric group.
    pub group_id: Option<i64>,
    /// Group name; empty is unset.
    pub group: String,
}

/// A user to run or own something as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Numeric user id.
    pub uid: u32,
    /// Numeric group id.
    pub gid: u32,
    /// Name and home, when the user database knows the id.
    pub known: Option<(String, String)>,
}

fn known(user: &User) -> (String, String) {
    (user.name.clone(), user.dir.to_string_lossy().into_owned())
}

/// The user database's entry of an id.
#[must_use]
pub fn by_uid(uid: u32) -> Option<User> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten()
}

/// The name of a user id; empty when unknown.
#[must_use]
pub fn user_name(uid: u32) -> String {
    by_uid(uid).map(|user| user.name).unwrap_or_default()
}

/// The name of a group id; empty when unknown.
#[must_use]
pub fn group_name(gid: u32) -> String {
    Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name).unwrap_or_default()
}

/// Name and home of the user that this program runs as.
#[must_use]
pub fn own() -> Option<(String, String)> {
    by_uid(Uid::effective().as_raw()).map(|user| known(&user))
}

fn id(value: i64, what: &str) -> Result<u32, String> {
    u32::try_from(value).map_err(|_| format!("invalid {what} {value}"))
}

/// Resolves what was asked for; `None` when nothing was.
///
/// # Errors
/// A sentence that names the unknown or contradicting user or group.
pub fn resolve(wanted: &Wanted) -> Result<Option<Identity>, String> {
    let Wanted { user_id, user, group_id, group } = wanted;
    let entry = if !user.is_empty() {
        let entry =
            User::from_name(user).ok().flatten().ok_or_else(|| format!("user: unknown user {user}"))?;
        if let Some(user_id) = user_id
            && i64::from(entry.uid.as_raw()) != *user_id
        {
            return Err(format!("user {user:?} UID ({}) does not match user-id ({user_id})", entry.uid));
        }
        Some(entry)
    } else if let Some(user_id) = user_id {
        by_uid(id(*user_id, "user-id")?)
    } else {
        None
    };
    let gid = if !group.is_empty() {
        let entry =
            Group::from_name(group).ok().flatten().ok_or_else(|| format!("group: unknown group {group}"))?;
        let gid = entry.gid.as_raw();
        if let Some(group_id) = group_id
            && i64::from(gid) != *group_id
        {
            return Err(format!("group {group:?} GID ({gid}) does not match group-id ({group_id})"));
        }
        Some(gid)
    } else {
        group_id.map(|value| id(value, "group-id")).transpose()?
    };
    let uid = match (&entry, user_id) {
        (Some(entry), _) => entry.uid.as_raw(),
        (None, Some(user_id)) => id(*user_id, "user-id")?,
        (None, None) if gid.is_some() => return Err("must specify user, not just group".into()),
        (None, None) => return Ok(None),
    };
    let gid = match (gid, &entry) {
        (Some(gid), _) => gid,
        (None, Some(entry)) => entry.gid.as_raw(),
        (None, None) => return Err(format!("user: unknown userid {uid}")),
    };
    Ok(Some(Identity { uid, gid, known: entry.as_ref().map(known) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_resolved_or_named_in_the_error() {
        assert_eq!(resolve(&Wanted::default()), Ok(None));
        let root =
            resolve(&Wanted { user: "root".into(), ..Wanted::default() }).expect("known").expect("asked");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(
            resolve(&Wanted { user: "root".into(), user_id: Some(5), ..Wanted::default() }),
            Err("user \"root\" UID (0) does not match user-id (5)".into())
        );
        assert_eq!(
            resolve(&Wanted { group_id: Some(1), ..Wanted::default() }),
            Err("must specify user, not just group".into())
        );
        let unknown = Wanted { user_id: Some(54321), group_id: Some(54322), ..Wanted::default() };
        assert_eq!(resolve(&unknown), Ok(Some(Identity { uid: 54321, gid: 54322, known: None })));
    }
}
