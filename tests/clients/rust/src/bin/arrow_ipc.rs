//! Compares Arrow IPC streams with arrow-rs and writes them again: `arrow_ipc FOLDER`.
//!
//! For each NAME.wanted in the folder it reads that stream and NAME.got, compares them, writes NAME.out
//! from what it got, and prints one JSON object: {"name", "result", "message"}; the result is "equal",
//! "differs", "cannot read" (what is wanted), "cannot read ours" or "cannot write".
//!
//! SPDX-License-Identifier: Apache-2.0
use std::fs::File;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;

type Stream = (SchemaRef, Vec<RecordBatch>);

/// Makes an error of a panic.
fn guard<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("panic".to_string()))
}

fn read(path: &Path) -> Result<Stream, String> {
    guard(|| {
        let file = File::open(path).map_err(|e| e.to_string())?;
        let reader = StreamReader::try_new(file, None).map_err(|e| e.to_string())?;
        let schema = reader.schema();
        let batches: Result<Vec<_>, _> = reader.collect();
        Ok((schema, batches.map_err(|e| e.to_string())?))
    })
}

fn compare(wanted: &Stream, got: &Stream) -> Result<(), String> {
    guard(|| {
        if wanted.0 != got.0 {
            return Err(format!("schema {:?}, not {:?}", got.0, wanted.0));
        }
        if wanted.1.len() != got.1.len() {
            return Err(format!("{} batches, not {}", got.1.len(), wanted.1.len()));
        }
        for (a, b) in wanted.1.iter().zip(&got.1) {
            if a != b {
                return Err(format!("{b:?}, not {a:?}"));
            }
        }
        Ok(())
    })
}

fn write(path: &Path, stream: &Stream) -> Result<(), String> {
    guard(|| {
        let file = File::create(path).map_err(|e| e.to_string())?;
        let mut writer = StreamWriter::try_new(file, &stream.0).map_err(|e| e.to_string())?;
        for batch in &stream.1 {
            writer.write(batch).map_err(|e| e.to_string())?;
        }
        writer.finish().map_err(|e| e.to_string())
    })
}

fn run(base: &Path) -> (&'static str, String) {
    let wanted = match read(&base.with_extension("wanted")) {
        Ok(stream) => stream,
        Err(message) => return ("cannot read", message),
    };
    let got = match read(&base.with_extension("got")) {
        Ok(stream) => stream,
        Err(message) => return ("cannot read ours", message),
    };
    if let Err(message) = compare(&wanted, &got) {
        return ("differs", message);
    }
    match write(&base.with_extension("out"), &got) {
        Ok(()) => ("equal", String::new()),
        Err(message) => ("cannot write", message),
    }
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let folder = std::env::args().nth(1).expect("usage: arrow_ipc FOLDER");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "wanted"))
        .collect();
    paths.sort();
    for path in paths {
        let (result, message) = run(&path);
        let name = path.file_stem().expect("a name").to_string_lossy().to_string();
        println!("{}", serde_json::json!({"name": name, "result": result, "message": message}));
    }
}
