import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import org.w3c.dom.Element;

/** Verifies the WS-Security header: signature over Body, Timestamp and token, freshness, certificate. */
interface Header {
    /** Gives the certificate whose key signed. */
    X509Certificate verify(Element security, Element body) throws Exception;

    /** Our own reading of the header, with an engine for the signature. */
    static Header with(Engine engine, Trust citizens, Instant now) {
        return (security, body) -> {
            Element token = Dom.required(Dom.child(security, Names.WSSE, "BinarySecurityToken"), "token");
            Element timestamp = fresh(security, now);
            X509Certificate identity = citizens.verify(Dom.text(token));
            Element signature = Dom.required(Dom.child(security, Names.DS, "Signature"), "header signature");
            engine.verify(signature, identity.getPublicKey(), Dom.identify(body, Names.WSU, "Id"),
                    Dom.identify(timestamp, Names.WSU, "Id"), Dom.identify(token, Names.WSU, "Id"));
            return identity;
        };
    }

    /** The Timestamp, when it is fresh. */
    static Element fresh(Element security, Instant now) throws Refused {
        Element timestamp = Dom.required(Dom.child(security, Names.WSU, "Timestamp"), "Timestamp");
        try {
            Instant created = Instant.parse(Dom.text(Dom.child(timestamp, Names.WSU, "Created")));
            Instant expires = Instant.parse(Dom.text(Dom.child(timestamp, Names.WSU, "Expires")));
            Refused.unless(!created.isAfter(now.plusSeconds(60)) && expires.isAfter(now.minusSeconds(60)), "Timestamp: not fresh");
        } catch (DateTimeParseException e) {
            throw new Refused("Timestamp: " + e.getMessage());
        }
        return timestamp;
    }
}
