//! Rows off a connection, many at a time.

use std::pin::pin;

use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};

use crate::postgres::connect::Failure;
use crate::postgres::{BinaryRow, BinaryRows, ConnectOptions, error};
use crate::{Error, ErrorKind, Result};

/// A connection for COPY TO STDOUT.
///
/// The synchronous client enters its runtime, and asks the socket, once for each row: half of the time of a backup. Here
/// the runtime is entered once for a statement, and the socket is asked when it has something.
pub struct RowReader {
    // Before the runtime: what belongs to a runtime must not outlive it.
    client: Client,
    runtime: Runtime,
}

impl RowReader {
    /// Connects as [`ConnectOptions::connect`] does.
    pub fn connect(options: &ConnectOptions, application: &str) -> Result<Self> {
        options.connect_with(application, |config, tls| {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::new(format!("cannot start the connection's runtime: {error}")))?;
            let connected = runtime.block_on(async {
                // The connection does its work whenever the runtime runs, and ends with the client.
                match tls {
                    Some(tls) => config.connect(tls).await.map(|(client, connection)| {
                        tokio::spawn(connection);
                        client
                    }),
                    None => config.connect(NoTls).await.map(|(client, connection)| {
                        tokio::spawn(connection);
                        client
                    }),
                }
            });
            let client = connected.map_err(|error| Failure::of(&error))?;
            Ok(Self { client, runtime })
        })
    }

    /// Runs statements that give no rows.
    pub fn batch_execute(&mut self, doing: &str, statements: &str) -> Result<()> {
        self.runtime.block_on(self.client.batch_execute(statements)).map_err(|failure| error(doing, failure))
    }

    /// Runs a `COPY … TO STDOUT` and hands every row to `each`, in order. While `each` works the connection waits: what is
    /// held in between is what the socket had.
    ///
    /// # Errors
    /// What the server answers, and what `each` answers, which ends the reading; the connection is then of no use.
    pub fn copy(&mut self, doing: &str, statement: &str, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.runtime.block_on(async {
            let stream = self.client.copy_out(statement).await.map_err(|failure| error(doing, failure))?;
            let mut stream = pin!(stream);
            while let Some(row) = stream.next().await {
                let row = row.map_err(|failure| {
                    let cause = error(doing, failure);
                    Error::new(ErrorKind::Postgres, cause.to_string())
                        .with_source(cause)
                        .with_hint("the connection or the server failed: see the server's log")
                })?;
                each(&row)?;
            }
            Ok(())
        })
    }

    /// Runs a `COPY … TO STDOUT (FORMAT binary)` and hands every row to `each`, in order.
    ///
    /// # Errors
    /// As [`copy`](Self::copy).
    pub fn copy_binary(
        &mut self,
        doing: &str,
        statement: &str,
        mut each: impl FnMut(BinaryRow<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut rows = BinaryRows::default();
        self.copy(doing, statement, |bytes| rows.push(bytes, &mut each))?;
        rows.finish()
    }
}
