import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** Reading elements. */
final class Dom {
    private Dom() {}

    /** The first child element of that name, null when there is none or no parent. */
    static Element child(Element parent, String namespace, String name) {
        for (Node n = parent == null ? null : parent.getFirstChild(); n != null; n = n.getNextSibling())
            if (n instanceof Element e && name.equals(e.getLocalName()) && namespace.equals(e.getNamespaceURI())) return e;
        return null;
    }

    static String text(Element e) {
        return e == null ? "" : e.getTextContent();
    }

    static Element required(Element e, String what) throws Refused {
        Refused.unless(e != null, what + ": missing");
        return e;
    }

    /** Declares the identifier of an element and gives it. */
    static String identify(Element e, String namespace, String name) throws Refused {
        Refused.unless(e.hasAttributeNS(namespace, name), "identifier: missing");
        e.setIdAttributeNS(namespace, name, true);
        return e.getAttributeNS(namespace, name);
    }
}
