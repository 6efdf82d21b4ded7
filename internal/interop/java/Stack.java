import java.security.cert.X509Certificate;
import java.time.Instant;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** What differs between the stacks on the JVM. VARIANTS are those of the package comment of interop. */
interface Stack {
    /** Signs the samlp:Request by the holder's key, enveloped, as its first child. */
    void signRequest(Element request, Credential holder, String variant) throws Exception;

    /** Adds a Security header: Timestamp, certificate, signature. */
    void secure(Document message, Credential identity, Instant created, String variant) throws Exception;

    /** Adds a Security header: Timestamp, the assertion, the holder's signature. */
    void secure(Document message, Element assertion, Credential holder, Instant created, String variant) throws Exception;

    /** Verifies the signature of an assertion with the certificate in it, and gives that certificate. */
    X509Certificate verifyAssertion(Element assertion) throws Exception;

    /** Verifies a call and gives its assertion; refuses with the words of interop.Refusals. */
    Element verifyCall(Document message, Trust trust) throws Exception;
}
