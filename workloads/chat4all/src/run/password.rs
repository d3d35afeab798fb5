//! `chat4all hash-password`.

use std::error::Error;
use std::io::{Write as _, stdin, stdout};

pub fn hash() -> Result<(), Box<dyn Error>> {
    let mut password = String::new();
    stdin().read_line(&mut password)?;
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("no password on standard input; for example: echo -n 'a long one' | chat4all hash-password".into());
    }
    writeln!(stdout(), "{}", chat4all_api::users::hash_password(password))?;
    Ok(())
}
