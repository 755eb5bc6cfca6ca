//! Those who keep us waiting: a body that does not come, an answer that is not taken. Who they are is not its concern.

use crate::app::App;
use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How often it is looked whether the server ends meanwhile, and how long a body may then still take.
const LOOK: Duration = Duration::from_millis(250);
const AT_THE_END: Duration = Duration::from_secs(2);

/// A request's body that has to come at some speed.
pub struct Timely {
    body: Body,
    app: Arc<App>,
    began: Instant,
    taken: u64,
    look: Pin<Box<Sleep>>,
    ending: Option<Instant>,
    late: Arc<AtomicBool>,
}

impl Timely {
    /// `late` is set when it did not come in time.
    pub fn new(body: Body, app: Arc<App>, late: Arc<AtomicBool>) -> Self {
        Self { body, app, began: Instant::now(), taken: 0, look: Box::pin(sleep(LOOK)), ending: None, late }
    }

    fn is_late(&mut self, now: Instant) -> bool {
        let limits = &self.app.limits;
        let parts = u32::try_from(self.taken / limits.body_bytes.max(1)).unwrap_or(u32::MAX).saturating_add(1);
        if self.ending.is_none() && self.app.is_draining() {
            self.ending = Some(now);
        }
        now - self.began > limits.body.saturating_mul(parts) || self.ending.is_some_and(|ending| now - ending > AT_THE_END)
    }
}

impl HttpBody for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::result::Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            if let Some(Ok(frame)) = &frame {
                self.taken += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Poll::Ready(frame);
        }
        loop {
            ready!(self.look.as_mut().poll(cx));
            let now = Instant::now();
            if self.is_late(now) {
                self.late.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(axum::Error::new(Error::from(ErrorKind::TimedOut)))));
            }
            self.look.as_mut().reset(now + LOOK);
        }
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose other end may not leave what it is sent lying for long.
pub struct Unstalled<S> {
    stream: S,
    patience: Duration,
    waits: Option<Pin<Box<Sleep>>>,
}

impl<S> Unstalled<S> {
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waits: None }
    }

    fn looked<T>(&mut self, cx: &mut Context<'_>, done: Poll<Result<T>>) -> Poll<Result<T>> {
        if done.is_ready() {
            self.waits = None;
            return done;
        }
        let patience = self.patience;
        ready!(self.waits.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        Poll::Ready(Err(Error::from(ErrorKind::TimedOut)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.looked(cx, done)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.looked(cx, done)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.looked(cx, done)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.looked(cx, done)
    }
}
