import java.security.cert.X509Certificate;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.security.auth.x500.X500Principal;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** What a samlp:Request asks for: designators by name, with their namespaces, in order. */
record Query(Element request, Element name, Element conditions, Map<String, String> claimed, Map<String, String> asked, String holder) {
    private static final String PERSON_SSIN = "urn:be:fgov:person:ssin";

    static Query read(Element request) throws Refused {
        Element query = Dom.required(Dom.child(request, Names.SAMLP, "AttributeQuery"), "AttributeQuery");
        Element subject = Dom.child(query, Names.SAML, "Subject");
        Element confirmation = Dom.child(subject, Names.SAML, "SubjectConfirmation");
        Refused.unless(Dom.text(Dom.child(confirmation, Names.SAML, "ConfirmationMethod")).equals(Names.HOLDER_OF_KEY), "ConfirmationMethod");
        Element self = Dom.child(Dom.child(confirmation, Names.SAML, "SubjectConfirmationData"), Names.SAML, "Assertion");
        Element info = Dom.child(Dom.child(confirmation, Names.DS, "KeyInfo"), Names.DS, "X509Data");
        Map<String, String> claimed = new LinkedHashMap<>(), asked = new LinkedHashMap<>();
        Element statement = Dom.required(Dom.child(self, Names.SAML, "AttributeStatement"), "AttributeStatement");
        for (Node n = statement.getFirstChild(); n != null; n = n.getNextSibling())
            if (n instanceof Element e && e.getLocalName().equals("Attribute"))
                claimed.put(e.getAttributeNS(null, "AttributeName"), Dom.text(Dom.child(e, Names.SAML, "AttributeValue")));
        for (Node n = query.getFirstChild(); n != null; n = n.getNextSibling())
            if (n instanceof Element e && e.getLocalName().equals("AttributeDesignator"))
                asked.put(e.getAttributeNS(null, "AttributeName"), e.getAttributeNS(null, "AttributeNamespace"));
        return new Query(request, Dom.required(Dom.child(subject, Names.SAML, "NameIdentifier"), "NameIdentifier"),
                Dom.required(Dom.child(self, Names.SAML, "Conditions"), "Conditions"), claimed, asked,
                Dom.text(Dom.child(info, Names.DS, "X509Certificate")));
    }

    /** Refuses a claimed SSIN that is not in the certificate. */
    void claims(X509Certificate identity) throws Refused {
        String subject = identity.getSubjectX500Principal().getName(X500Principal.RFC1779);
        Refused.unless(subject.contains("OID.2.5.4.5=" + claimed.get(PERSON_SSIN) + ","), "SSIN");
    }
}
