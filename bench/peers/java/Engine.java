import java.security.PublicKey;
import org.w3c.dom.Element;

/** A library for XML signatures. */
interface Engine {
    /** Verifies a ds:Signature over exactly the elements with these identifiers, which are declared. */
    void verify(Element signature, PublicKey key, String... ids) throws Exception;

    /** Appends a signature over assertion, whose identifier is declared, and gives it. */
    Element sign(Element assertion, String id) throws Exception;
}
