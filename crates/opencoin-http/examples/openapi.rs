//! Writes the OpenAPI descriptions of the operator's and of the public listener to the two files that are named.

use std::{env, fs, io};

use opencoin_http::{Audience, generate_openapi};

fn main() -> io::Result<()> {
    let files = env::args().skip(1);
    for (file, audience) in files.zip([Audience::Operator, Audience::Public]) {
        fs::write(file, generate_openapi(audience))?;
    }
    Ok(())
}
