import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;

/** A certificate with its private key. */
record Credential(X509Certificate certificate, PrivateKey key) {
    static Credential read(String path) throws Exception {
        X509Certificate certificate = certificate(path + ".pem");
        byte[] der = Base64.getMimeDecoder().decode(Files.readString(Path.of(path + ".key")).replaceAll("-----[A-Z ]*-----", ""));
        return new Credential(certificate, KeyFactory.getInstance(certificate.getPublicKey().getAlgorithm()).generatePrivate(new PKCS8EncodedKeySpec(der)));
    }

    static X509Certificate certificate(String path) throws Exception {
        try (InputStream in = Files.newInputStream(Path.of(path))) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    /** The signature method; SHA-1 where it is asked for. */
    String method(boolean sha1) {
        return !key.getAlgorithm().equals("RSA") ? Names.ECDSA_SHA256 : sha1 ? Names.RSA_SHA1 : Names.RSA_SHA256;
    }
}
