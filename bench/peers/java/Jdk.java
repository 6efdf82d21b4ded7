import java.security.PrivateKey;
import java.security.PublicKey;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignatureMethod;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** javax.xml.crypto of the JDK, secure validation on. */
final class Jdk implements Engine {
    private final XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
    private final PrivateKey key;
    private final CanonicalizationMethod exclusive;
    private final SignatureMethod method;
    private final DigestMethod digest;
    private final List<Transform> transforms;

    Jdk(PrivateKey key) throws Exception {
        this.key = key;
        exclusive = factory.newCanonicalizationMethod(Names.EXCLUSIVE, (C14NMethodParameterSpec) null);
        method = factory.newSignatureMethod(key.getAlgorithm().equals("RSA") ? Names.RSA_SHA256 : Names.ECDSA_SHA256, null);
        digest = factory.newDigestMethod(Names.SHA256, null);
        transforms = List.of(
                factory.newTransform(Names.ENVELOPED, (TransformParameterSpec) null),
                factory.newTransform(Names.EXCLUSIVE, (TransformParameterSpec) null));
    }

    @Override
    public void verify(Element element, PublicKey key, String... ids) throws Exception {
        DOMValidateContext context = new DOMValidateContext(key, element);
        context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.TRUE);
        XMLSignature signature = factory.unmarshalXMLSignature(context);
        Set<String> signed = new HashSet<>();
        for (Reference reference : signature.getSignedInfo().getReferences()) signed.add(reference.getURI());
        Refused.unless(signature.getSignedInfo().getReferences().size() == ids.length && signed.size() == ids.length, "signature: references");
        Refused.unless(Arrays.stream(ids).allMatch(id -> signed.contains("#" + id)), "signature: references");
        Refused.unless(signature.validate(context), "signature");
    }

    @Override
    public Element sign(Element assertion, String id) throws Exception {
        Reference reference = factory.newReference("#" + id, digest, transforms, null, null);
        DOMSignContext context = new DOMSignContext(key, assertion);
        context.setDefaultNamespacePrefix("ds");
        factory.newXMLSignature(factory.newSignedInfo(exclusive, method, List.of(reference)), null).sign(context);
        Node last = assertion.getLastChild();
        return (Element) last;
    }
}
