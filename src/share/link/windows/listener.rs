//! The gateway's side of a named pipe: made anew for each gateway, and only its owner may open it.
//!
//! What comes is framed, so that a client can say that nothing more does. What goes is not.

use crate::share::link::frames::Unframed;
use crate::share::link::note::NONCE;
use crate::share::link::note::Note;
use crate::share::place::Place;
use interprocess::os::windows::named_pipe::PipeListenerOptions;
use interprocess::os::windows::named_pipe::pipe_mode::Bytes;
use interprocess::os::windows::named_pipe::tokio::DuplexPipeStream;
use interprocess::os::windows::named_pipe::tokio::PipeListener;
use interprocess::os::windows::named_pipe::tokio::PipeStream;
use interprocess::os::windows::named_pipe::tokio::RecvPipeStream;
use interprocess::os::windows::named_pipe::tokio::SendPipeStream;
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::ReadBuf;
use widestring::U16CString;

/// The owner of the pipe may do everything with it, and nobody else anything.
const OWNER_ONLY: &str = "D:P(A;;GA;;;OW)";
/// What the pipe holds each way, in bytes.
const ROOM: u32 = 64 << 10;

/// The gateway's end of a place. Its note goes with it.
pub struct Listener {
    pipe: PipeListener<Bytes, Bytes>,
    note: Arc<Note>,
    #[expect(dead_code, reason = "held for its drop, after the pipe")]
    file: NoteFile,
}

/// Somebody who has come.
pub struct Knock {
    pipe: DuplexPipeStream<Bytes>,
    note: Arc<Note>,
}

/// The gateway's side, of somebody who may be here.
pub struct Guest(Unframed<DuplexPipeStream<Bytes>>);

/// To a client. What it does not read is kept until it has.
pub struct GuestWriter(SendPipeStream<Bytes>);

struct NoteFile(PathBuf);

impl Drop for NoteFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Opens `place`, whose lock the caller holds, for the user of this process alone.
    ///
    /// # Errors
    /// When the pipe or its note cannot be made.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(place: &Place, _: u32) -> io::Result<Self> {
        let (note, text) = Note::new()?;
        let wide = |text: &str| U16CString::from_str(text).map_err(io::Error::other);
        let options = PipeListenerOptions::new()
            .path(wide(&note.name)?)
            .input_buffer_size_hint(ROOM)
            .output_buffer_size_hint(ROOM)
            .security_descriptor(Some(SecurityDescriptor::deserialize(&wide(OWNER_ONLY)?)?));
        let pipe = options.create_tokio_duplex::<Bytes>()?;
        let file = NoteFile(place.socket());
        std::fs::write(&file.0, text)?;
        Ok(Self { pipe, note: Arc::new(note), file })
    }

    /// The next who comes.
    ///
    /// # Errors
    /// When nobody can come for now.
    pub async fn accept(&self) -> io::Result<Knock> {
        let pipe = self.pipe.accept().await?;
        Ok(Knock { pipe, note: Arc::clone(&self.note) })
    }
}

impl Knock {
    /// Shows that this is the gateway; `None` for who does not ask. The pipe itself keeps other users out.
    pub async fn admit(mut self) -> Option<Guest> {
        let mut nonce = [0; NONCE];
        self.pipe.read_exact(&mut nonce).await.ok()?;
        let proof = self.note.proof(&nonce);
        self.pipe.write_all(proof.as_ref()).await.ok()?;
        Some(Guest(Unframed::new(self.pipe)))
    }
}

impl Guest {
    /// What comes and what goes, apart.
    #[must_use]
    pub fn into_split(self) -> (Unframed<RecvPipeStream<Bytes>>, GuestWriter) {
        let (reader, writer) = self.0.part(PipeStream::split);
        (reader, GuestWriter(writer))
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, to)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.0.inner_mut()).poll_write(cx, bytes)
    }

    /// Not that of the pipe, which waits until the client has read everything.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GuestWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    /// As that of [`Guest`].
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
