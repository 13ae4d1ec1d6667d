"""Certificates for the tests of TLS, made with the openssl command.

SPDX-License-Identifier: Apache-2.0
"""
import subprocess

LOCAL_NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"


class Authority:
    """A certificate authority in a folder, with what it signed."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
                     "-subj", f"/CN={name}")
        self.path = folder / f"{name}.pem"

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def sign(self, name, subject=None, names=None, days=30, algorithm="ec"):
        """Makes name.pem and name.key; returns their paths."""
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        if algorithm == "rsa":
            kind = ["-newkey", "rsa:2048"]
        self.openssl("req", "-new", *kind, "-nodes", "-keyout", f"{name}.key", "-out",
                     f"{name}.csr", "-subj", subject or f"/CN={name}")
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey",
                     f"{self.name}.key", "-CAcreateserial", "-days", str(days), "-extfile",
                     str(extensions), "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


class Certificates:
    def __init__(self, folder):
        self.folder = folder
        self.ca = Authority(folder, "ca")
        self.other_ca = Authority(folder, "other_ca")
        self.server = self.ca.sign("server", names=LOCAL_NAMES)
        self.second = self.ca.sign("second", names=LOCAL_NAMES, algorithm="rsa")
        self.named = self.ca.sign("named", names="DNS:named.test,DNS:*.wild.test")
        self.client = self.ca.sign("client", subject="/O=Engines/CN=ada")
        self.stranger = self.other_ca.sign("stranger")

    @property
    def flags(self):
        return ("--tls-cert", self.server[0], "--tls-key", self.server[1])
