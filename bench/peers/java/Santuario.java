import java.security.PrivateKey;
import java.security.PublicKey;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.apache.xml.security.Init;
import org.apache.xml.security.signature.SignedInfo;
import org.apache.xml.security.signature.XMLSignature;
import org.apache.xml.security.transforms.Transforms;
import org.w3c.dom.Element;

/** Apache Santuario by its own API, secure validation on. */
final class Santuario implements Engine {
    private final PrivateKey key;
    private final String method;

    Santuario(PrivateKey key) {
        Init.init();
        this.key = key;
        method = key.getAlgorithm().equals("RSA") ? Names.RSA_SHA256 : Names.ECDSA_SHA256;
    }

    @Override
    public void verify(Element element, PublicKey key, String... ids) throws Exception {
        XMLSignature signature = new XMLSignature(element, "", true);
        SignedInfo info = signature.getSignedInfo();
        Set<String> signed = new HashSet<>();
        for (int i = 0; i < info.getLength(); i++) signed.add(info.item(i).getURI());
        Refused.unless(info.getLength() == ids.length && signed.size() == ids.length, "signature: references");
        Refused.unless(Arrays.stream(ids).allMatch(id -> signed.contains("#" + id)), "signature: references");
        Refused.unless(signature.checkSignatureValue(key), "signature");
    }

    @Override
    public Element sign(Element assertion, String id) throws Exception {
        XMLSignature signature = new XMLSignature(assertion.getOwnerDocument(), "", method, Names.EXCLUSIVE);
        assertion.appendChild(signature.getElement());
        Transforms transforms = new Transforms(assertion.getOwnerDocument());
        transforms.addTransform(Names.ENVELOPED);
        transforms.addTransform(Names.EXCLUSIVE);
        signature.addDocument("#" + id, transforms, Names.SHA256);
        signature.sign(key);
        return signature.getElement();
    }
}
