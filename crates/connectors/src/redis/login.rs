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
    let mut encoded = Vec::new();
    let mut commands = Vec::new();
    if login.password().is_some() {
        // A missing user is no argument.
        redis::cmd("AUTH").arg(login.username()).arg(login.password()).write_packed_command(&mut encoded);
        commands.push(LoginCommand::Auth);
    }
    if login.db() != 0 {
        redis::cmd("SELECT").arg(login.db()).write_packed_command(&mut encoded);
        commands.push(LoginCommand::Select(login.db()));
    }
    redis::cmd("PING").write_packed_command(&mut encoded);
    commands.push(LoginCommand::Ping);

    let sent = connection.send_packed_command(&encoded);
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
