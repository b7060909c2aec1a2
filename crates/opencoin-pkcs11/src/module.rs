//! The PKCS#11 module: foreign code that is loaded once and shared by the whole process.
//!
//! Some modules find a token that was away only after they are initialised again. This call is dangerous: it must not
//! run at the same time as any other call, and it invalidates every session. The module then reuses the numbers of old
//! sessions, so an old session must not even be closed. Therefore a lock protects all calls, and every session stores
//! the count of initialisations. If a process uses several tokens of one module, all of them are connected again when
//! one is away.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error, Result, RvError};
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use crate::TokenError;

/// Modules stay loaded and initialised until the process ends, because unloading foreign code is not safe.
static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

pub(crate) struct Module {
    state: RwLock<State>,
}

struct State {
    pkcs11: Pkcs11,
    /// The number of initialisations so far.
    initialisations: u64,
}

/// A session, for one thread at a time. It closes when dropped.
pub(crate) struct OpenSession {
    module: Arc<Module>,
    /// Does not close itself; see `Drop`.
    session: Option<Session>,
    initialisations: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Module {
    /// Loads and initialises the module in this file, or returns it if it is loaded already.
    pub(crate) fn load(path: &Path) -> std::result::Result<Arc<Self>, TokenError> {
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => TokenError::ModuleMissing(path.to_owned()),
            _ => TokenError::NotAModule {
                path: path.to_owned(),
                reason: error.to_string(),
            },
        };
        let key = path.canonicalize().map_err(missing)?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(&key) {
            return Ok(Arc::clone(module));
        }
        let not_a_module = |error: Error| TokenError::NotAModule {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let pkcs11 = Pkcs11::new(&key).map_err(not_a_module)?;
        initialise(&pkcs11)?;
        let module = Arc::new(Self {
            state: RwLock::new(State {
                pkcs11,
                initialisations: 1,
            }),
        });
        loaded.insert(key, Arc::clone(&module));
        Ok(module)
    }

    /// Calls the module without a session.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&Pkcs11) -> Result<R>) -> Result<R> {
        call(&self.read().pkcs11)
    }

    pub(crate) fn open_session(self: &Arc<Self>, slot: Slot, access: Access) -> Result<OpenSession> {
        let state = self.read();
        let session = match access {
            Access::Read => state.pkcs11.open_ro_session_no_drop(slot)?,
            Access::Write => state.pkcs11.open_rw_session_no_drop(slot)?,
        };
        Ok(OpenSession {
            module: Arc::clone(self),
            session: Some(session),
            initialisations: state.initialisations,
        })
    }

    /// Ends the module and starts it again. All sessions of this process are lost.
    pub(crate) fn initialise_again(&self) -> Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.initialisations += 1;
        // The module may not be initialised or may be broken; only the result of the next call matters.
        let _ = state.pkcs11.clone().finalize();
        initialise(&state.pkcs11)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenSession {
    /// Calls the module with this session. `call` must not use another session, because it could deadlock.
    pub(crate) fn call<R, E: From<Error>>(
        &self,
        call: impl FnOnce(&Session) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E> {
        let state = self.module.read();
        match &self.session {
            Some(session) if self.initialisations == state.initialisations => call(session),
            _ => Err(Error::Pkcs11(RvError::SessionHandleInvalid, Function::GetSessionInfo).into()),
        }
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        let state = self.module.read();
        if let Some(session) = self.session.take()
            && self.initialisations == state.initialisations
        {
            // Fails if the session is already gone.
            let _ = session.close();
        }
    }
}

fn initialise(pkcs11: &Pkcs11) -> Result<()> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        result => result,
    }
}
