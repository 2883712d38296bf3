//! Logs in on a new connection, and finds out whether Redis accepts the connection.
//!
//! The `redis` crate could log in too, but drops the text with which Redis refuses. A Redis that refuses a connection
//! writes one error reply and closes the connection. So a write can fail although the reason of the failure can still be
//! read.

use std::time::Duration;

use redis::{Connection, RedisConnectionInfo, RedisResult, Value};

use super::address::RedisAddress;
use super::fault::{
    RedisFault, classify_connection_error, classify_error_reply, classify_login_error, is_refused_connection,
};
use super::wire::CommandBuffer;

/// The commands of a login, in the order in which they are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LoginCommand {
    Auth,
    Select(i64),
    /// Makes Redis answer, also if the login needs no other command.
    Ping,
}

/// Opens a connection to `address` within `connect_timeout`, and logs in. `connect_timeout` also limits each read and write
/// of the login. The timeout of every later read and write is `response_timeout`.
pub(crate) fn open_connection(
    address: &RedisAddress,
    connect_timeout: Duration,
    response_timeout: Duration,
) -> Result<Connection, RedisFault> {
    let mut connection =
        address.open_without_login(connect_timeout).map_err(|error| classify_connection_error(&error))?;
    log_in(&mut connection, address.login())?;
    let limited = connection
        .set_read_timeout(Some(response_timeout))
        .and_then(|()| connection.set_write_timeout(Some(response_timeout)));
    limited.map_err(|error| classify_connection_error(&error))?;
    Ok(connection)
}

/// Sends the user, the password and the number of the database in `login`. Fails with the reason if Redis refuses the
/// connection or the login.
fn log_in(connection: &mut Connection, login: &RedisConnectionInfo) -> Result<(), RedisFault> {
    let mut buffer = CommandBuffer::default();
    let mut commands = Vec::new();
    match (login.username(), login.password()) {
        (Some(user), Some(password)) => buffer.append_command(&[b"AUTH", user.as_bytes(), password.as_bytes()]),
        (None, Some(password)) => buffer.append_command(&[b"AUTH", password.as_bytes()]),
        (_, None) => {}
    }
    if login.password().is_some() {
        commands.push(LoginCommand::Auth);
    }
    if login.db() != 0 {
        buffer.append_command(&[b"SELECT", login.db().to_string().as_bytes()]);
        commands.push(LoginCommand::Select(login.db()));
    }
    buffer.append_command(&[b"PING"]);
    commands.push(LoginCommand::Ping);

    let sent = connection.send_packed_command(buffer.encoded_bytes());
    if let Err(error) = &sent
        && !error.is_connection_dropped()
    {
        return Err(classify_connection_error(error));
    }
    for command in commands {
        match read_reply(connection) {
            Ok(Value::ServerError(error)) => match command {
                LoginCommand::Auth => {
                    return Err(classify_login_error(&error, login.password().unwrap_or_default()));
                }
                LoginCommand::Select(database) if error.code() == "ERR" && !is_refused_connection(&error) => {
                    return Err(RedisFault::for_refused_database(database, &error));
                }
                // A user without the permission for PING may write rows.
                LoginCommand::Ping if !is_refused_connection(&error) => {}
                LoginCommand::Select(_) | LoginCommand::Ping => return Err(classify_error_reply(&error)),
            },
            Ok(_) => {}
            Err(error) => return Err(classify_connection_error(sent.as_ref().err().unwrap_or(&error))),
        }
    }
    Ok(())
}

fn read_reply(connection: &mut Connection) -> RedisResult<Value> {
    loop {
        match connection.recv_response() {
            Ok(Value::Push { .. }) => {}
            reply => return reply,
        }
    }
}
