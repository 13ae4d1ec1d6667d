/*
 * certificates.h — authorities, certificates and keys made for a test, as PEM files in a folder of their
 * own. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/* A folder with
 *
 *      ca.pem                       an authority of servers and clients
 *      other_ca.pem                 another one
 *      server.pem server.key        localhost, 127.0.0.1, ::1, alpha.test
 *      beta.pem beta.key            beta.test, *.wild.test (RSA)
 *      exact.pem exact.key          exact.wild.test
 *      expired.pem expired.key      localhost, until yesterday
 *      chain.pem chain.key          localhost, signed by an authority in between, which is in the file
 *      client.pem client.key        CN=ada,O=Engines & Co
 *      stranger.pem stranger.key    a client of the other authority
 *      encrypted.key                server.key under a passphrase
 *      junk.pem                     no PEM
 */
struct certificates {
    char folder[64];
    char paths[8][128]; /* of certificates_path, in turn */
    unsigned next_path;
};

void certificates_make(struct certificates *certificates);
void certificates_remove(struct certificates *certificates);
/* The path of a file in the folder; good until seven more calls. */
const char *certificates_path(struct certificates *certificates, const char *file);
/* Puts a copy of a file where another one is, for tests of reading again. */
void certificates_replace(struct certificates *certificates, const char *file, const char *by);
