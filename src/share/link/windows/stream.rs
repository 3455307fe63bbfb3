//! The client's side of a named pipe, for threads that block: to be read by one while another writes, it needs asynchronous
//! calls underneath, which one thread of a runtime serves for all.
//!
//! It frames what is written. What is read comes as it is.

use crate::share::link::frames;
use crate::share::link::note::NONCE;
use crate::share::link::note::Note;
use crate::share::link::note::PROOF;
use crate::share::place::Place;
use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use tokio::net::windows::named_pipe::ClientOptions;
use tokio::net::windows::named_pipe::NamedPipeClient;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a gateway may take to let somebody in and show who it is.
const GREETING: Duration = Duration::from_secs(10);
/// Between two looks while all ends of the pipe are taken.
const STEP: Duration = Duration::from_millis(2);
/// What the system says then.
const PIPE_BUSY: i32 = 231;

/// It lives as long as the process: it is not to be dropped where another one runs.
static RUNTIME: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build());

/// The client's side. Clones are the same.
#[derive(Debug, Clone)]
pub struct Stream(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pipe: NamedPipeClient,
    /// A frame at a time.
    writing: Mutex<()>,
    closed: CancellationToken,
    patience: Mutex<Patience>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Patience {
    read: Option<Duration>,
    write: Option<Duration>,
}

/// To the gateway of `place`. Not for threads of a runtime.
///
/// # Errors
/// What the system says; mostly that nobody is there.
pub fn connect(place: &Place) -> io::Result<Stream> {
    let nobody = || io::Error::from(io::ErrorKind::NotFound);
    let note = Note::of(&fs::read_to_string(place.socket())?).ok_or_else(nobody)?;
    let pipe = runtime()?.block_on(async {
        let greeted = timeout(GREETING, greet(&note)).await;
        greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    })?;
    let (writing, closed, patience) = Default::default();
    Ok(Stream(Arc::new(Shared { pipe, writing, closed, patience })))
}

/// Whoever cannot show the key has only taken the name.
async fn greet(note: &Note) -> io::Result<NamedPipeClient> {
    let pipe = loop {
        match ClientOptions::new().open(&note.name) {
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => sleep(STEP).await,
            opened => break opened?,
        }
    };
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    write_all(&pipe, &nonce).await?;
    let (mut proof, mut count) = ([0; PROOF], 0);
    while count < PROOF {
        match read(&pipe, &mut proof[count..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => count += more,
        }
    }
    match note.is_proof(&nonce, &proof) {
        true => Ok(pipe),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

async fn read(pipe: &NamedPipeClient, to: &mut [u8]) -> io::Result<usize> {
    loop {
        pipe.readable().await?;
        match pipe.try_read(to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

async fn write_all(pipe: &NamedPipeClient, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        pipe.writable().await?;
        match pipe.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => bytes = &bytes[done?..],
        }
    }
    Ok(())
}

fn runtime() -> io::Result<&'static Runtime> {
    RUNTIME.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))
}

impl Stream {
    /// The same stream once more.
    ///
    /// # Errors
    /// None; as with a socket.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    /// How long a read may take; `None` for ever.
    ///
    /// # Errors
    /// None; as with a socket.
    pub fn set_read_timeout(&self, patience: Option<Duration>) -> io::Result<()> {
        lock(&self.0.patience).read = patience;
        Ok(())
    }

    /// How long a write may take; `None` for ever. After one that took longer the stream is of no use.
    ///
    /// # Errors
    /// None; as with a socket.
    pub fn set_write_timeout(&self, patience: Option<Duration>) -> io::Result<()> {
        lock(&self.0.patience).write = patience;
        Ok(())
    }

    /// Says that nothing more comes, after what is being written; or ends everything, whoever waits.
    ///
    /// # Errors
    /// When there is no thread to say it.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Write {
            self.0.closed.cancel();
            return Ok(());
        }
        // A gateway that does not read must not hold up who says this.
        let shared = Arc::clone(&self.0);
        thread::Builder::new().spawn(move || shared.write_frame(&frames::END)).map(drop)
    }
}

impl Shared {
    fn write_frame(&self, frame: &[u8]) -> io::Result<()> {
        let _writing = lock(&self.writing);
        self.wait(lock(&self.patience).write, write_all(&self.pipe, frame))
    }

    fn wait<T>(&self, patience: Option<Duration>, act: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let act = async {
            tokio::select! {
                done = act => done,
                () = self.closed.cancelled() => Err(io::ErrorKind::BrokenPipe.into()),
            }
        };
        runtime()?.block_on(async {
            match patience {
                Some(patience) => {
                    timeout(patience, act).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                }
                None => act.await,
            }
        })
    }
}

impl Read for &Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let patience = lock(&self.0.patience).read;
        self.0.wait(patience, read(&self.0.pipe, to))
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let (frame, count) = frames::frame(bytes);
        self.0.write_frame(&frame).map(|()| count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        (&*self).read(to)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
