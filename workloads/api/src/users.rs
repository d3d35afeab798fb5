//! Who may use this deployment: the file `users.yaml`, read once at start (the operator restarts
//! the pods when the Secret changes). Passwords are argon2 hashes and never leave this module.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use chat4all_message::Address;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The file's name in AUTH_DIR.
pub const FILE: &str = "users.yaml";

/// A hash of a password as `users.yaml` holds it: PHC format, argon2id with the crate's
/// recommended cost (19 MiB, 2 passes) and a fresh salt.
pub fn hash_password(password: &str) -> String {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .expect("the default parameters are valid and the salt is made here")
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads and writes the conversations that it is a member of.
    User,
    /// A program of the company: reads every conversation and may send as any local user.
    Service,
    /// Keeps this deployment running: works with dead letters, asks for the ledger check and for the journal.
    /// In conversations it is a user like others.
    Operator,
}

/// A user whose password was right, or whose token is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// The name, as the user's address in conversations.
    pub(crate) address: Address,
    pub(crate) role: Role,
}

/// Why `users.yaml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("could not read {}; add key {FILE} to the Secret of spec.api.authSecretRef (AUTH_DIR)", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no list of users. Carries no source: parsers quote the text, and hashes are secret.
    #[error(
        "{} is not a list of users{}; each needs username, passwordHash (made by `chat4all hash-password`) and role (user, service or operator)",
        path.display(),
        line.map(|line| format!(" (line {line})")).unwrap_or_default()
    )]
    Parse {
        /// Its path.
        path: PathBuf,
        /// Where it goes wrong.
        line: Option<usize>,
    },
    /// A name that cannot stand in addresses.
    #[error("{}: user {index} has a username that is no user id; write 1 to 128 letters, digits or . _ @ -", path.display())]
    Username {
        /// The file's path.
        path: PathBuf,
        /// The user's place in the list, from 1.
        index: usize,
    },
    /// Two users with one name.
    #[error("{}: username {username} is there twice; remove one", path.display())]
    Twice {
        /// The file's path.
        path: PathBuf,
        /// The name.
        username: String,
    },
    /// A hash in another format.
    #[error("{}: passwordHash of {username} is no argon2 hash; make one with `chat4all hash-password`", path.display())]
    Hash {
        /// The file's path.
        path: PathBuf,
        /// Whose it is.
        username: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    username: String,
    password_hash: String,
    role: Role,
}

struct Account {
    user: User,
    hash: Arc<PasswordHash>,
}

/// The users by name.
pub(crate) struct Users {
    accounts: HashMap<String, Account>,
    /// What is checked for a name that nobody has, so that its answer takes as long.
    decoy: Option<Arc<PasswordHash>>,
    turns: Arc<Semaphore>,
    queue: Semaphore,
}

/// Checks of passwords at once at most.
const MOST_AT_ONCE: usize = 4;
/// Logins that wait for their check; anybody may try to log in. More would not have their turn in time.
const LONGEST_QUEUE: usize = 64;

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.accounts.keys()).finish()
    }
}

/// How long a login waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Too many others are logging in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Users {
    /// Reads `users.yaml` of this folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        Self::parse(&text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let path = || path.to_owned();
        let entries: Vec<Entry> = serde_yaml::from_str(text)
            .map_err(|error| Error::Parse { path: path(), line: error.location().map(|l| l.line()) })?;
        let mut accounts = HashMap::with_capacity(entries.len());
        let mut decoy = None;
        for (place, entry) in entries.into_iter().enumerate() {
            let address = match entry.username.parse() {
                Ok(address @ Address::Local(_)) => address,
                _ => return Err(Error::Username { path: path(), index: place + 1 }),
            };
            let hash = PasswordHash::new(&entry.password_hash).ok().filter(is_argon2);
            let Some(hash) = hash.map(Arc::new) else {
                return Err(Error::Hash { path: path(), username: entry.username });
            };
            decoy.get_or_insert_with(|| hash.clone());
            let account = Account { user: User { address, role: entry.role }, hash };
            if accounts.insert(entry.username.clone(), account).is_some() {
                return Err(Error::Twice { path: path(), username: entry.username });
            }
        }
        if accounts.is_empty() {
            tracing::warn!(path = %path().display(), "there are no users: nobody can log in");
        }
        // Each check fills a core and 19 MiB. Half of the cores are left to the messages, and on a large node the
        // memory of a pod, which by default has 256 MiB.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let turns = Arc::new(Semaphore::new(cores.div_ceil(2).min(MOST_AT_ONCE)));
        Ok(Self { accounts, decoy, turns, queue: Semaphore::new(LONGEST_QUEUE) })
    }

    /// The user of this name.
    pub(crate) fn named(&self, username: &str) -> Option<&User> {
        self.accounts.get(username).map(|account| &account.user)
    }

    /// The user, when the password is right. Takes as long for a name that nobody has.
    pub(crate) async fn verify(&self, username: &str, password: String) -> Result<Option<User>, Busy> {
        let account = self.accounts.get(username);
        let Some(hash) = account.map(|a| &a.hash).or(self.decoy.as_ref()).cloned() else { return Ok(None) };
        let place = self.queue.try_acquire().map_err(|_full| Busy)?;
        let turn = timeout(PATIENCE, self.turns.clone().acquire_owned()).await.map_err(|_elapsed| Busy)?;
        drop(place);
        // The turn lasts as long as the check, which goes on when the client no longer waits for it.
        let checking = move || {
            let _turn = turn;
            Argon2::default().verify_password(password.as_bytes(), &*hash).is_ok()
        };
        let right = tokio::task::spawn_blocking(checking).await.unwrap_or(false);
        Ok(account.filter(|_| right).map(|account| account.user.clone()))
    }
}

fn is_argon2(hash: &PasswordHash) -> bool {
    let known = [argon2::ARGON2ID_IDENT, argon2::ARGON2I_IDENT, argon2::ARGON2D_IDENT];
    known.contains(&hash.algorithm) && hash.hash.is_some() && argon2::Params::try_from(hash).is_ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::cheap_hash;

    fn parse(text: &str) -> Result<Users, Error> {
        Users::parse(text, Path::new("/etc/chat4all/auth/users.yaml"))
    }

    fn ana(password: &str) -> String {
        format!("- {{username: ana, passwordHash: \"{}\", role: user}}\n", cheap_hash(password))
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_opens() {
        let users = parse(&ana("correct horse")).unwrap();
        let verified = |name: &'static str, password: &'static str| users.verify(name, password.to_owned());
        assert_eq!(verified("ana", "correct horse").await.unwrap().unwrap().role, Role::User);
        assert_eq!(verified("ana", "wrong").await, Ok(None));
        assert_eq!(verified("bob", "correct horse").await, Ok(None), "the decoy's own password opens nothing");
    }

    #[tokio::test]
    async fn without_users_nobody_gets_in() {
        assert_eq!(parse("[]").unwrap().verify("ana", "x".to_owned()).await, Ok(None));
    }

    #[tokio::test]
    async fn a_hash_made_here_is_accepted_here() {
        let hash = hash_password("s3cret");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hash_password("s3cret"), "every hash has its own salt");
        let users = parse(&format!("- {{username: ops, passwordHash: \"{hash}\", role: service}}")).unwrap();
        assert_eq!(users.verify("ops", "s3cret".to_owned()).await.unwrap().unwrap().role, Role::Service);
        let users = parse(&format!("- {{username: ops, passwordHash: \"{hash}\", role: operator}}")).unwrap();
        assert_eq!(users.named("ops").unwrap().role, Role::Operator);
    }

    #[rstest]
    #[case("ana: admin", "list of users (line 1)")]
    #[case("- {username: ana, role: user}", "passwordHash")]
    #[case("- {username: ana, passwordHash: x, role: king}", "role (user, service or operator)")]
    #[case("- {username: ana, passwordHash: plain-text, role: user}", "passwordHash of ana")]
    #[case("- {username: ana, passwordHash: '$2b$12$abcdefghijklmnopqrstuv', role: user}", "passwordHash of ana")]
    #[case("- {username: 'whatsapp:+5562998765432', passwordHash: x, role: user}", "user 1 has a username")]
    fn a_wrong_file_is_named_with_the_field_and_the_remedy(#[case] text: &str, #[case] part: &str) {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains("/etc/chat4all/auth/users.yaml"), "{error}");
        assert!(error.contains(part), "{error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }

    #[test]
    fn two_users_of_one_name_are_refused() {
        let error = parse(&(ana("a") + &ana("b"))).unwrap_err().to_string();
        assert!(error.contains("username ana is there twice"), "{error}");
    }

    #[test]
    fn neither_errors_nor_debug_show_a_hash() {
        let text = ana("a");
        assert!(!format!("{:?}", parse(&text).unwrap()).contains("argon2"));
        let broken = text.replace("role: user", "role: [user]");
        assert!(!format!("{:?}", parse(&broken).unwrap_err()).contains("argon2"));
    }
}
