import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Who is trusted in one role. Chains that were verified are kept, or verified each time. */
final class Trust {
    private static final String CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

    final X509Certificate root, authority;
    private final CertificateFactory factory = CertificateFactory.getInstance("X.509");
    private final CertPathValidator validator = CertPathValidator.getInstance("PKIX");
    private final MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
    private final PKIXParameters parameters;
    private final Date now;
    private final boolean keep;
    private final Map<ByteBuffer, X509Certificate> kept = new HashMap<>();

    Trust(Path dir, String name, Date now, boolean keep) throws Exception {
        root = read(dir.resolve(name + "-root.pem"));
        authority = read(dir.resolve(name + "-ca.pem"));
        this.now = now;
        this.keep = keep;
        parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        parameters.setRevocationEnabled(false);
        parameters.setDate(now);
    }

    private X509Certificate read(Path file) throws Exception {
        try (InputStream in = Files.newInputStream(file)) {
            return (X509Certificate) factory.generateCertificate(in);
        }
    }

    /** The certificate in base64, its chain verified. */
    X509Certificate verify(String base64) throws Refused {
        try {
            byte[] der = Base64.getDecoder().decode(base64);
            ByteBuffer digest = ByteBuffer.wrap(sha256.digest(der));
            X509Certificate certificate = kept.get(digest);
            if (certificate != null) {
                certificate.checkValidity(now);
                return certificate;
            }
            certificate = (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(der));
            validator.validate(factory.generateCertPath(List.of(certificate, authority)), parameters);
            List<String> usages = certificate.getExtendedKeyUsage();
            Refused.unless(usages != null && usages.contains(CLIENT_AUTH), "certificate: usage");
            if (keep) kept.put(digest, certificate);
            return certificate;
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw new Refused("certificate: " + e.getMessage());
        }
    }
}
