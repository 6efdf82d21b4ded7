import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.Map;
import javax.xml.parsers.DocumentBuilder;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** Writes and signs answers. */
final class Answer {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final String XMLNS = "http://www.w3.org/2000/xmlns/";

    private final DocumentBuilder builder;
    private final Engine engine;
    private final Instant now;
    private final Map<String, String> facts;
    private final String certificate;
    private final SecureRandom random = new SecureRandom();

    Answer(DocumentBuilder builder, Engine engine, Instant now, Map<String, String> facts, String certificate) {
        this.builder = builder;
        this.engine = engine;
        this.now = now;
        this.facts = facts;
        this.certificate = certificate;
    }

    Document build(Query query) throws Exception {
        Document document = builder.newDocument();
        Element envelope = document.createElementNS(Names.SOAP, "soapenv:Envelope");
        envelope.setAttributeNS(XMLNS, "xmlns:soapenv", Names.SOAP);
        document.appendChild(envelope);
        Element response = add(add(envelope, Names.SOAP, "soapenv:Body"), Names.SAMLP, "samlp:Response");
        response.setAttributeNS(XMLNS, "xmlns:samlp", Names.SAMLP);
        response.setAttributeNS(null, "InResponseTo", query.request().getAttributeNS(null, "RequestID"));
        response.setAttributeNS(null, "IssueInstant", TIME.format(now));
        response.setAttributeNS(null, "MajorVersion", "1");
        response.setAttributeNS(null, "MinorVersion", "1");
        response.setAttributeNS(null, "ResponseID", newID());
        add(add(response, Names.SAMLP, "samlp:Status"), Names.SAMLP, "samlp:StatusCode").setAttributeNS(null, "Value", "samlp:Success");
        assertion(response, query);
        return document;
    }

    private void assertion(Element response, Query query) throws Exception {
        Element assertion = add(response, Names.SAML, "Assertion");
        String id = newID();
        assertion.setAttributeNS(XMLNS, "xmlns", Names.SAML);
        assertion.setAttributeNS(null, "AssertionID", id);
        assertion.setIdAttributeNS(null, "AssertionID", true);
        assertion.setAttributeNS(null, "IssueInstant", TIME.format(now));
        assertion.setAttributeNS(null, "Issuer", "urn:be:fgov:ehealth:sts:1_0");
        assertion.setAttributeNS(null, "MajorVersion", "1");
        assertion.setAttributeNS(null, "MinorVersion", "1");
        Instant end = Instant.parse(query.conditions().getAttributeNS(null, "NotOnOrAfter"));
        Refused.unless(end.isAfter(now), "Conditions");
        Element conditions = add(assertion, Names.SAML, "Conditions");
        Instant begin = Instant.parse(query.conditions().getAttributeNS(null, "NotBefore"));
        conditions.setAttributeNS(null, "NotBefore", TIME.format(begin.minus(Duration.ofMinutes(5))));
        conditions.setAttributeNS(null, "NotOnOrAfter", TIME.format(end));
        Element authentication = add(assertion, Names.SAML, "AuthenticationStatement");
        authentication.setAttributeNS(null, "AuthenticationInstant", TIME.format(now));
        authentication.setAttributeNS(null, "AuthenticationMethod", "urn:oasis:names:tc:SAML:1.0:am:X509-PKI");
        Element confirmation = add(subject(authentication, query), Names.SAML, "SubjectConfirmation");
        add(confirmation, Names.SAML, "ConfirmationMethod").setTextContent(Names.HOLDER_OF_KEY);
        Element info = add(confirmation, Names.DS, "ds:KeyInfo");
        info.setAttributeNS(XMLNS, "xmlns:ds", Names.DS);
        add(add(info, Names.DS, "ds:X509Data"), Names.DS, "ds:X509Certificate").setTextContent(query.holder());
        attributes(assertion, query);
        Element signature = engine.sign(assertion, id);
        Element data = add(add(signature, Names.DS, "ds:KeyInfo"), Names.DS, "ds:X509Data");
        add(data, Names.DS, "ds:X509Certificate").setTextContent(certificate);
    }

    private void attributes(Element assertion, Query query) throws Refused {
        Element statement = add(assertion, Names.SAML, "AttributeStatement");
        subject(statement, query);
        for (Map.Entry<String, String> asked : query.asked().entrySet()) {
            String value = query.claimed().get(asked.getKey());
            if (value == null) value = facts.get(asked.getKey());
            Refused.unless(value != null, "attribute: unknown");
            Element attribute = add(statement, Names.SAML, "Attribute");
            attribute.setAttributeNS(null, "AttributeName", asked.getKey());
            attribute.setAttributeNS(null, "AttributeNamespace", asked.getValue());
            add(attribute, Names.SAML, "AttributeValue").setTextContent(value);
        }
    }

    private static Element subject(Element parent, Query query) {
        Element subject = add(parent, Names.SAML, "Subject");
        Element name = add(subject, Names.SAML, "NameIdentifier");
        name.setAttributeNS(null, "Format", "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName");
        name.setAttributeNS(null, "NameQualifier", query.name().getAttributeNS(null, "NameQualifier"));
        name.setTextContent(Dom.text(query.name()));
        return subject;
    }

    private static Element add(Element parent, String namespace, String name) {
        Element e = parent.getOwnerDocument().createElementNS(namespace, name);
        parent.appendChild(e);
        return e;
    }

    private String newID() {
        byte[] octets = new byte[16];
        random.nextBytes(octets);
        return "_" + HexFormat.of().formatHex(octets);
    }
}
