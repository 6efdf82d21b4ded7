import java.io.ByteArrayInputStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** Reading and writing documents. */
final class Dom {
    private Dom() {}

    static Document parse(byte[] text) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        DocumentBuilder builder = factory.newDocumentBuilder();
        builder.setErrorHandler(null);
        return builder.parse(new ByteArrayInputStream(text));
    }

    static Document parse(String text) throws Exception {
        return parse(text.getBytes(StandardCharsets.UTF_8));
    }

    static String write(Node node) throws Exception {
        Transformer writer = TransformerFactory.newInstance().newTransformer();
        writer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        StringWriter out = new StringWriter();
        writer.transform(new DOMSource(node), new StreamResult(out));
        return out.toString();
    }

    /** The first child element of that name, null when there is none or no parent. */
    static Element child(Element parent, String namespace, String name) {
        for (Node n = parent == null ? null : parent.getFirstChild(); n != null; n = n.getNextSibling())
            if (n instanceof Element e && name.equals(e.getLocalName()) && namespace.equals(e.getNamespaceURI())) return e;
        return null;
    }

    /** The first element below that has the local name, whatever its namespace; null when there is none. */
    static Element below(Node root, String name) {
        Document document = root instanceof Document d ? d : root.getOwnerDocument();
        Element top = root instanceof Element e ? e : document.getDocumentElement();
        return (Element) top.getElementsByTagNameNS("*", name).item(0);
    }

    static String text(Element e) {
        return e == null ? "" : e.getTextContent();
    }

    static Element add(Element parent, String namespace, String name) {
        Element e = parent.getOwnerDocument().createElementNS(namespace, name);
        parent.appendChild(e);
        return e;
    }

    static void setId(Element e, String id) {
        e.setAttributeNS(Names.WSU, "wsu:Id", id);
        e.setIdAttributeNS(Names.WSU, "Id", true);
    }
}
