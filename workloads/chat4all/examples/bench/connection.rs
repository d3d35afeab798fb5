//! One HTTP/1.1 connection that sends requests made beforehand: as little of the shared cores as can be.
//! Knows only answers with a content-length.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub struct Answer<'b> {
    pub status: u16,
    pub body: &'b [u8],
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub async fn call(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, body)) = whole(&self.buffer)? {
                return Ok(Answer { status, body: &self.buffer[body..] });
            }
        }
    }
}

/// The status, and where the body begins, once all of an answer is there.
fn whole(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let strange = || Error::new(ErrorKind::InvalidData, "not an answer with a content-length");
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| strange())?;
    let status = head.get(9..12).and_then(|text| text.parse().ok()).ok_or_else(strange)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let (body, length) = (end + 4, length.ok_or_else(strange)?);
    Ok((bytes.len() >= body + length).then_some((status, body)))
}

/// A request of this user; `token` may be empty.
pub fn request(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
