import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.xml.crypto.XMLStructure;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.ExcC14NParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** javax.xml.crypto of the JDK; the header is written by hand. */
final class Jdk implements Stack {
    private final XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");

    @Override
    public void signRequest(Element request, Credential holder, String variant) throws Exception {
        request.setIdAttributeNS(null, "RequestID", true);
        List<Transform> transforms = List.of(factory.newTransform(Names.ENVELOPED, (TransformParameterSpec) null), exclusive(variant));
        Reference reference = factory.newReference("#" + request.getAttribute("RequestID"), factory.newDigestMethod(digest(variant), null), transforms, null, null);
        // The factory wraps base64 at 76 characters: the line ends are written as &#13; and a line feed.
        KeyInfo info = factory.getKeyInfoFactory().newKeyInfo(List.of(factory.getKeyInfoFactory().newX509Data(List.of(holder.certificate()))));
        DOMSignContext context = new DOMSignContext(holder.key(), request, request.getFirstChild());
        factory.newXMLSignature(signedInfo(List.of(reference), holder, variant), info).sign(context);
    }

    @Override
    public void secure(Document message, Credential identity, Instant created, String variant) throws Exception {
        Element security = security(message, created);
        Element token = Dom.add(security, Names.WSSE, "wsse:BinarySecurityToken");
        token.setAttribute("EncodingType", Names.BASE64);
        token.setAttribute("ValueType", Names.X509);
        token.setTextContent(Base64.getEncoder().encodeToString(identity.certificate().getEncoded()));
        Dom.setId(token, "X509-1");
        Element reference = message.createElementNS(Names.WSSE, "wsse:Reference");
        reference.setAttribute("URI", "#X509-1");
        reference.setAttribute("ValueType", Names.X509);
        sign(message, security, reference, identity, variant, "id-1", "TS-1", "X509-1");
    }

    @Override
    public void secure(Document message, Element assertion, Credential holder, Instant created, String variant) throws Exception {
        Element security = security(message, created);
        security.appendChild(assertion);
        Element identifier = message.createElementNS(Names.WSSE, "wsse:KeyIdentifier");
        identifier.setAttribute("ValueType", Names.ASSERTION_ID);
        identifier.setTextContent(assertion.getAttribute("AssertionID"));
        assertion.setIdAttributeNS(null, "AssertionID", true);
        if (variant.equals("assertion-signed")) sign(message, security, identifier, holder, variant, "id-1", "TS-1", assertion.getAttribute("AssertionID"));
        else sign(message, security, identifier, holder, variant, "id-1", "TS-1");
    }

    private static Element security(Document message, Instant created) {
        Element header = Dom.child(message.getDocumentElement(), Names.SOAP, "Header");
        Element security = Dom.add(header, Names.WSSE, "wsse:Security");
        security.setAttributeNS(Names.SOAP, "soapenv:mustUnderstand", "1");
        Element timestamp = Dom.add(security, Names.WSU, "wsu:Timestamp");
        Dom.setId(timestamp, "TS-1");
        Dom.add(timestamp, Names.WSU, "wsu:Created").setTextContent(created.toString());
        Dom.add(timestamp, Names.WSU, "wsu:Expires").setTextContent(created.plusSeconds(60).toString());
        Dom.setId(Dom.child(message.getDocumentElement(), Names.SOAP, "Body"), "id-1");
        return security;
    }

    private void sign(Document message, Element security, Element token, Credential by, String variant, String... ids) throws Exception {
        List<Reference> references = new ArrayList<>();
        for (String id : ids) {
            if (variant.equals("body-unsigned") && id.equals("id-1") || variant.equals("token-unsigned") && id.equals("X509-1")) continue;
            references.add(factory.newReference("#" + id, factory.newDigestMethod(digest(variant), null), List.of(exclusive(variant)), null, null));
        }
        Element reference = message.createElementNS(Names.WSSE, "wsse:SecurityTokenReference");
        reference.appendChild(token);
        KeyInfo info = factory.getKeyInfoFactory().newKeyInfo(List.<XMLStructure>of(new DOMStructure(reference)));
        DOMSignContext context = new DOMSignContext(by.key(), security);
        context.setDefaultNamespacePrefix("ds");
        factory.newXMLSignature(signedInfo(references, by, variant), info).sign(context);
    }

    private SignedInfo signedInfo(List<Reference> references, Credential by, String variant) throws Exception {
        return factory.newSignedInfo(
                factory.newCanonicalizationMethod(Names.EXCLUSIVE, variant.equals("inclusive") ? prefixes() : (C14NMethodParameterSpec) null),
                factory.newSignatureMethod(by.method(variant.equals("sha1")), null), references);
    }

    private Transform exclusive(String variant) throws Exception {
        return factory.newTransform(Names.EXCLUSIVE, variant.equals("inclusive") ? prefixes() : (TransformParameterSpec) null);
    }

    private static ExcC14NParameterSpec prefixes() {
        return new ExcC14NParameterSpec(List.of("soapenv", "wsu"));
    }

    private static String digest(String variant) {
        return variant.equals("sha1") ? Names.SHA1 : Names.SHA256;
    }

    @Override
    public X509Certificate verifyAssertion(Element assertion) throws Exception {
        Element signature = Dom.child(assertion, Names.DS, "Signature");
        X509Certificate certificate = Trust.certificate(signature, "assertion signature");
        assertion.setIdAttributeNS(null, "AssertionID", true);
        verify(signature, certificate.getPublicKey(), "assertion signature", Set.of("#" + assertion.getAttribute("AssertionID")));
        return certificate;
    }

    @Override
    public Element verifyCall(Document message, Trust trust) throws Exception {
        Element body = Dom.child(message.getDocumentElement(), Names.SOAP, "Body");
        Element security = Dom.child(Dom.child(message.getDocumentElement(), Names.SOAP, "Header"), Names.WSSE, "Security");
        Element timestamp = Dom.child(security, Names.WSU, "Timestamp"), assertion = Dom.child(security, Names.SAML, "Assertion");
        Refused.unless(timestamp != null && fresh(timestamp), "timestamp");
        Refused.unless(assertion != null && body != null, "assertion signature");
        X509Certificate holder = trust.holder(assertion, this);
        Element signature = Dom.child(security, Names.DS, "Signature");
        Element reference = Dom.child(Dom.child(signature, Names.DS, "KeyInfo"), Names.WSSE, "SecurityTokenReference");
        Refused.unless(Dom.text(Dom.child(reference, Names.WSSE, "KeyIdentifier")).equals(assertion.getAttribute("AssertionID")), "message signature");
        for (Element e : List.of(body, timestamp)) e.setIdAttributeNS(Names.WSU, "Id", true);
        verify(signature, holder.getPublicKey(), "message signature",
                Set.of("#" + body.getAttributeNS(Names.WSU, "Id"), "#" + timestamp.getAttributeNS(Names.WSU, "Id")));
        return assertion;
    }

    private static boolean fresh(Element timestamp) {
        try {
            Instant now = Instant.now();
            return !Instant.parse(Dom.text(Dom.child(timestamp, Names.WSU, "Created"))).isAfter(now.plusSeconds(60))
                    && Instant.parse(Dom.text(Dom.child(timestamp, Names.WSU, "Expires"))).isAfter(now);
        } catch (DateTimeException e) {
            return false;
        }
    }

    /** The signature verifies and is over exactly these. */
    private void verify(Element element, PublicKey key, String why, Set<String> uris) throws Exception {
        Refused.unless(element != null, why);
        DOMValidateContext context = new DOMValidateContext(key, element);
        context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.TRUE);
        try {
            XMLSignature signature = factory.unmarshalXMLSignature(context);
            Set<String> signed = new HashSet<>();
            List<Reference> references = signature.getSignedInfo().getReferences();
            for (Reference reference : references) signed.add(reference.getURI());
            Refused.unless(references.size() == uris.size() && signed.equals(uris) && signature.validate(context), why);
        } catch (javax.xml.crypto.MarshalException | javax.xml.crypto.dsig.XMLSignatureException e) {
            throw new Refused(why);
        }
    }
}
