import com.sun.org.apache.xml.internal.security.Init;
import com.sun.org.apache.xml.internal.security.c14n.Canonicalizer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.List;
import javax.xml.crypto.KeySelector;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.ExcC14NParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Attr;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NamedNodeMap;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/** Answers one line a task: "ok", or what was wrong. */
public class Judge {
    static final String DS = XMLSignature.XMLNS;
    static final String WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    static final XMLSignatureFactory FACTORY = XMLSignatureFactory.getInstance("DOM");
    static DocumentBuilder builder;

    public static void main(String[] arguments) throws Exception {
        System.setProperty("org.apache.xml.security.ignoreLineBreaks", "false");
        DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
        f.setNamespaceAware(true);
        f.setExpandEntityReferences(true);
        f.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        builder = f.newDocumentBuilder();
        builder.setErrorHandler(null);
        PrintStream err = System.err;
        System.setErr(new PrintStream(PrintStream.nullOutputStream()));
        Init.init();
        StringBuilder out = new StringBuilder();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String answer;
            try {
                answer = task(line.split("\t", -1));
            } catch (Exception e) {
                answer = "error: " + e;
            }
            out.append(answer.replace('\n', ' ').replace('\r', ' ')).append('\n');
        }
        System.setErr(err);
        System.out.write(out.toString().getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }

    static String task(String[] f) throws Exception {
        switch (f[0]) {
            case "verify": return verify(f);
            case "canonicalize": return canonicalize(f);
            case "sign": return sign(f);
            default: throw new IllegalArgumentException(f[0]);
        }
    }

    static Document parse(String file) throws Exception {
        Document d = builder.parse(new ByteArrayInputStream(Files.readAllBytes(Path.of(file))));
        NodeList all = d.getElementsByTagNameNS("*", "*");
        for (int i = 0; i < all.getLength(); i++) {
            Element e = (Element) all.item(i);
            NamedNodeMap attributes = e.getAttributes();
            for (int k = 0; k < attributes.getLength(); k++) {
                Attr a = (Attr) attributes.item(k);
                if (isID(a)) e.setIdAttributeNode(a, true);
            }
        }
        return d;
    }

    static boolean isID(Attr a) {
        String ns = a.getNamespaceURI(), local = a.getLocalName();
        if (ns == null) return List.of("Id", "ID", "AssertionID", "RequestID", "ResponseID").contains(local);
        return ns.equals(WSU) && local.equals("Id");
    }

    /** Elements are numbered in document order. */
    static Element element(Document d, int n) {
        return (Element) d.getElementsByTagNameNS("*", "*").item(n);
    }

    static String verify(String[] f) throws Exception {
        Document d = parse(f[1]);
        PublicKey key = publicKey(Files.readAllBytes(Path.of(f[2])));
        Node signature = d.getElementsByTagNameNS(DS, "Signature").item(Integer.parseInt(f[3]));
        if (signature == null) return "no signature";
        DOMValidateContext context = new DOMValidateContext(KeySelector.singletonKeySelector(key), signature);
        context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.FALSE); // SHA-1 is judged too
        XMLSignature s = FACTORY.unmarshalXMLSignature(context);
        return s.validate(context) ? "ok" : "invalid";
    }

    static PublicKey publicKey(byte[] der) throws Exception {
        X509EncodedKeySpec spec = new X509EncodedKeySpec(der);
        try {
            return KeyFactory.getInstance("RSA").generatePublic(spec);
        } catch (Exception e) {
            return KeyFactory.getInstance("EC").generatePublic(spec);
        }
    }

    static String canonicalize(String[] f) throws Exception {
        Document d = parse(f[1]);
        Element apex = element(d, Integer.parseInt(f[2]));
        int omit = Integer.parseInt(f[3]);
        Element omitted = omit < 0 ? null : element(d, omit);
        if (omitted != null) omitted.getParentNode().removeChild(omitted);
        // The public API canonicalizes a subtree only inside a signature.
        Canonicalizer c14n = Canonicalizer.getInstance(CanonicalizationMethod.EXCLUSIVE);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        if (f[4].isEmpty()) {
            c14n.canonicalizeSubtree(apex, out);
        } else {
            c14n.canonicalizeSubtree(apex, f[4], out);
        }
        Files.write(Path.of(f[5]), out.toByteArray());
        return "ok";
    }

    static String sign(String[] f) throws Exception {
        Document d = parse(f[1]);
        PrivateKey key = KeyFactory.getInstance(f[3]).generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(f[2]))));
        List<Reference> references = new ArrayList<>();
        for (int i = 9; i + 3 < f.length; i += 4) {
            List<Transform> transforms = new ArrayList<>();
            if (Boolean.parseBoolean(f[i + 1])) {
                transforms.add(FACTORY.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null));
            }
            transforms.add(FACTORY.newTransform(CanonicalizationMethod.EXCLUSIVE, (TransformParameterSpec) list(f[i + 3])));
            references.add(FACTORY.newReference("#" + f[i], FACTORY.newDigestMethod(f[i + 2], null), transforms, null, null));
        }
        SignedInfo info = FACTORY.newSignedInfo(
                FACTORY.newCanonicalizationMethod(CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) list(f[6])),
                FACTORY.newSignatureMethod(f[4], null), references);
        DOMSignContext context = new DOMSignContext(key, element(d, Integer.parseInt(f[7])));
        context.setDefaultNamespacePrefix(f[5]);
        FACTORY.newXMLSignature(info, null).sign(context);
        // The identity transformer of the JDK loses declarations; inclusive canonical XML
        // is a serialization that keeps all there is.
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Canonicalizer.getInstance(CanonicalizationMethod.INCLUSIVE_WITH_COMMENTS).canonicalizeSubtree(d, out);
        Files.write(Path.of(f[8]), out.toByteArray());
        return "ok";
    }

    static ExcC14NParameterSpec list(String prefixes) {
        return prefixes.isEmpty() ? null : new ExcC14NParameterSpec(List.of(prefixes.split(" ")));
    }
}
